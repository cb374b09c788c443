{{- define "trade-service.labels" -}}
app: {{ .Values.name }}
app.kubernetes.io/name: trade-service
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "trade-service.selector" -}}
app: {{ .Values.name }}
{{- end }}

{{- define "trade-service.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default .Values.name }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "trade-service.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "trade-service.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "trade-service.probeScheme" -}}
{{- if hasKey .Values.secretFiles "TRADE_SERVICE_SERVER_TLS_CERTIFICATE" }}, scheme: HTTPS{{ end }}
{{- end }}

{{- define "trade-service.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "trade-service.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* A variable of a list's names that `env` or `secretFiles` gives: (list . name ...). It replaces the value of the chart. */ -}}
{{- define "trade-service.given" -}}
{{- $values := (first .).Values }}
{{- range rest . }}{{ if or (hasKey $values.env .) (hasKey $values.secretFiles (printf "%s_FILE" .)) }}{{ . }} {{ end }}{{ end }}
{{- end }}

{{- define "trade-service.hasPasswordSecret" -}}
{{- if and .Values.database.passwordSecret.name (not (include "trade-service.given" (list . "TRADE_SERVICE_DATABASE_PASSWORD" "DATABASE_PASSWORD" "SPRING_DATASOURCE_PASSWORD"))) }}yes{{ end }}
{{- end }}

{{- define "trade-service.databaseEnv" -}}
{{- if not (include "trade-service.given" (list . "TRADE_SERVICE_DATABASE_URL" "DATABASE_URL" "SPRING_DATASOURCE_URL")) }}
- name: DATABASE_URL
  value: {{ .Values.database.url | quote }}
{{- end }}
{{- if not (include "trade-service.given" (list . "TRADE_SERVICE_DATABASE_USERNAME" "DATABASE_USERNAME" "SPRING_DATASOURCE_USERNAME")) }}
{{- with .Values.database.username }}
- name: DATABASE_USERNAME
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if include "trade-service.hasPasswordSecret" . }}
- name: DATABASE_PASSWORD_FILE
  value: /run/secrets/trade-service/DATABASE_PASSWORD_FILE
{{- end }}
{{- end }}

{{- define "trade-service.serviceEnv" -}}
{{- if not (include "trade-service.given" (list . "TRADE_SERVICE_EXECUTION_SERVICE_BASE_URL" "EXECUTION_SERVICE_BASE_URL")) }}
- name: EXECUTION_SERVICE_BASE_URL
  value: {{ .Values.executionService.url | quote }}
{{- end }}
{{- if not (include "trade-service.given" (list . "TRADE_SERVICE_PORTFOLIO_SERVICE_BASE_URL" "EXTERNAL_PORTFOLIO_SERVICE_BASE_URL")) }}
{{- with .Values.portfolioService.url }}
- name: EXTERNAL_PORTFOLIO_SERVICE_BASE_URL
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if not (include "trade-service.given" (list . "TRADE_SERVICE_SECURITY_SERVICE_BASE_URL" "EXTERNAL_SECURITY_SERVICE_BASE_URL")) }}
{{- with .Values.securityService.url }}
- name: EXTERNAL_SECURITY_SERVICE_BASE_URL
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if not (include "trade-service.given" (list . "TRADE_SERVICE_AUTH_MODE")) }}
- name: TRADE_SERVICE_AUTH_MODE
  value: {{ .Values.auth.mode | quote }}
{{- end }}
{{- end }}

{{- define "trade-service.otherEnv" -}}
- name: NODE_IP
  valueFrom: {fieldRef: {fieldPath: status.hostIP}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- /* Sources first: texts may refer to them. */}}
{{- range $name, $value := .Values.env }}
{{- if kindIs "map" $value }}
- name: {{ $name }}
  valueFrom: {{ toJson $value }}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.env }}
{{- if not (kindIs "map" $value) }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- range $name, $secret := .Values.secretFiles }}
- name: {{ $name }}
  value: /run/secrets/trade-service/{{ $name }}
{{- end }}
{{- end }}

{{- define "trade-service.mounts" -}}
- {name: temporary, mountPath: /tmp}
{{- if include "trade-service.secretSources" . }}
- {name: secrets, mountPath: /run/secrets/trade-service, readOnly: true}
{{- end }}
{{- end }}

{{- define "trade-service.volumes" -}}
- name: temporary
  emptyDir: {sizeLimit: 1Gi}
{{- with include "trade-service.secretSources" . }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
{{ . | indent 6 }}
{{- end }}
{{- end }}

{{- define "trade-service.secretSources" -}}
{{- if include "trade-service.hasPasswordSecret" . }}
{{- with .Values.database.passwordSecret -}}
- secret:
    name: {{ .name }}
    items: [{key: {{ .key }}, path: DATABASE_PASSWORD_FILE}]
{{ end }}
{{- end }}
{{- range $variable, $secret := .Values.secretFiles -}}
- secret:
    name: {{ $secret.name }}
    items: [{key: {{ $secret.key }}, path: {{ $variable }}}]
{{ end }}
{{- end }}
