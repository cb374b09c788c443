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

{{- define "trade-service.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "trade-service.databaseEnv" -}}
- name: DATABASE_URL
  value: {{ .Values.database.url | quote }}
{{- with .Values.database.username }}
- name: DATABASE_USERNAME
  value: {{ . | quote }}
{{- end }}
{{- if .Values.database.passwordSecret.name }}
- name: DATABASE_PASSWORD_FILE
  value: /run/secrets/trade-service/DATABASE_PASSWORD_FILE
{{- end }}
{{- end }}

{{- define "trade-service.otherEnv" -}}
- name: NODE_IP
  valueFrom: {fieldRef: {fieldPath: status.hostIP}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
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
{{- with .Values.database.passwordSecret }}
{{- if .name -}}
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
