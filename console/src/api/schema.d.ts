// Made from the service's OpenAPI document by `make console`: do not edit.

/** A JSON number, digit for digit: text unless it is an integer that a float holds exactly. */
export type Decimal = string | number;
export interface paths {
    "/actuator/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether to send requests here: 200 UP, 503 DOWN with the reason.
         * @description While orders are accepted but not sent, `components.submission` has the reason.
         *
         *     Open to everyone.
         */
        get: operations["getActuatorHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/actuator/health/liveness": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The process answers.
         * @description Open to everyone.
         */
        get: operations["getActuatorHealthLiveness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/actuator/health/readiness": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether to send requests here: 200 UP, 503 DOWN with the reason.
         * @description While orders are accepted but not sent, `components.submission` has the reason.
         *
         *     Open to everyone.
         */
        get: operations["getActuatorHealthReadiness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/actuator/info": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Name and version.
         * @description Open to everyone.
         */
        get: operations["getActuatorInfo"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/actuator/loggers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The known levels, and the one in force.
         * @description Needs the role operator.
         */
        get: operations["getActuatorLoggers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/actuator/loggers/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The level in force.
         * @description Needs the role operator.
         */
        get: operations["getActuatorLoggersByName"];
        put?: never;
        /**
         * Sets the level until the next change or restart; null restores the one in the settings.
         * @description Needs the role operator.
         */
        post: operations["postActuatorLoggersByName"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/actuator/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The names of all metrics.
         * @description Open to everyone.
         */
        get: operations["getActuatorMetrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/actuator/metrics/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One metric, summed over the series with the given tags: `tag=status:200`.
         * @description Open to everyone.
         */
        get: operations["getActuatorMetricsByName"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/actuator/prometheus": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All metrics, in Prometheus' text format.
         * @description Open to everyone.
         */
        get: operations["getActuatorPrometheus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/blotters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists all, by id.
         * @description Needs the role reader.
         */
        get: operations["getV1Blotters"];
        put?: never;
        /**
         * Creates one; its abbreviation must not be taken.
         * @description Needs the role operator.
         */
        post: operations["postV1Blotters"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/blotters/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Reads one.
         * @description Needs the role reader.
         */
        get: operations["getV1BlottersById"];
        /**
         * Changes one; an abbreviation that executions were sent under stays.
         * @description Needs the role operator.
         */
        put: operations["putV1BlottersById"];
        post?: never;
        /**
         * Deletes one that nothing refers to.
         * @description Needs the role operator.
         */
        delete: operations["deleteV1BlottersById"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/destinations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists all, by id.
         * @description Needs the role reader.
         */
        get: operations["getV1Destinations"];
        put?: never;
        /**
         * Creates one; its abbreviation must not be taken.
         * @description Needs the role operator.
         */
        post: operations["postV1Destinations"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/destinations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Reads one.
         * @description Needs the role reader.
         */
        get: operations["getV1DestinationsById"];
        /**
         * Changes one; an abbreviation that executions were sent under stays.
         * @description Needs the role operator.
         */
        put: operations["putV1DestinationsById"];
        post?: never;
        /**
         * Deletes one that nothing refers to.
         * @description Needs the role operator.
         */
        delete: operations["deleteV1DestinationsById"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/execution/{id}/submit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sends one execution. One that was accepted before is answered as it is.
         * @description Needs the role trader.
         */
        post: operations["postV1ExecutionByIdSubmit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/executions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A page of executions by id, 1000 at the most; X-Total-Count has the number of all.
         * @description Needs the role reader.
         */
        get: operations["getV1Executions"];
        put?: never;
        /**
         * Creates an execution of a trade order, whose quantity it takes, without sending it.
         * @description Needs the role trader.
         */
        post: operations["postV1Executions"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/executions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Reads an execution.
         * @description Needs the role reader.
         */
        get: operations["getV1ExecutionsById"];
        /**
         * Changes an execution; what was sent of it stays.
         * @description Needs the role trader.
         */
        put: operations["putV1ExecutionsById"];
        post?: never;
        /**
         * Deletes an execution that was not sent; its order gets the quantity back.
         * @description Needs the role trader.
         */
        delete: operations["deleteV1ExecutionsById"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/executions/{id}/fill": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Takes a fill report of the Execution Service.
         * @description Needs the role trader.
         */
        put: operations["putV1ExecutionsByIdFill"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/executionStatuses": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists all, by id.
         * @description Needs the role reader.
         */
        get: operations["getV1ExecutionStatuses"];
        put?: never;
        /**
         * Creates one; its abbreviation must not be taken.
         * @description Needs the role operator.
         */
        post: operations["postV1ExecutionStatuses"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/executionStatuses/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Reads one.
         * @description Needs the role reader.
         */
        get: operations["getV1ExecutionStatusesById"];
        /**
         * Changes one; an abbreviation that executions were sent under stays.
         * @description Needs the role operator.
         */
        put: operations["putV1ExecutionStatusesById"];
        post?: never;
        /**
         * Deletes one that nothing refers to.
         * @description Needs the role operator.
         */
        delete: operations["deleteV1ExecutionStatusesById"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/health/liveness": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The process answers.
         * @description Open to everyone.
         */
        get: operations["getV1HealthLiveness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/health/readiness": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether to send requests here: 200 UP, 503 DOWN with the reason.
         * @description While orders are accepted but not sent, `components.submission` has the reason.
         *
         *     Open to everyone.
         */
        get: operations["getV1HealthReadiness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/health/startup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The process answers.
         * @description Open to everyone.
         */
        get: operations["getV1HealthStartup"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tradeOrders": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A page of trade orders by id, 1000 at the most; X-Total-Count has the number of all.
         * @description Needs the role reader.
         */
        get: operations["getV1TradeOrders"];
        put?: never;
        /**
         * Creates a trade order.
         * @description Needs the role trader.
         */
        post: operations["postV1TradeOrders"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tradeOrders/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Reads a trade order.
         * @description Needs the role reader.
         */
        get: operations["getV1TradeOrdersById"];
        /**
         * Changes a trade order; what was sent of it stays.
         * @description Needs the role trader.
         */
        put: operations["putV1TradeOrdersById"];
        post?: never;
        /**
         * Deletes a trade order that has no executions.
         * @description Needs the role trader.
         */
        delete: operations["deleteV1TradeOrdersById"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tradeOrders/{id}/submit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Slices an execution from a trade order and sends it.
         * @description With `noExecuteSubmit=true` it is only written. An execution without an outcome after the time that the
         *     server waits is answered as it is, and the header X-Submission-State says so.
         *
         *     Needs the role trader.
         */
        post: operations["postV1TradeOrdersByIdSubmit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tradeOrders/batch/submit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Slices an execution from each of up to 100 trade orders and sends them, each for itself.
         * @description 200 when all or none succeeded, 207 otherwise; what is pending counts as success, and the header
         *     X-Submission-State says so.
         *
         *     Needs the role trader.
         */
        post: operations["postV1TradeOrdersBatchSubmit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tradeOrders/bulk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Creates 1 to 1000 trade orders, all or none.
         * @description Needs the role trader.
         */
        post: operations["postV1TradeOrdersBulk"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tradeType/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Reads one.
         * @description Needs the role reader.
         */
        get: operations["getV1TradeTypeById"];
        /**
         * Changes one; an abbreviation that executions were sent under stays.
         * @description Needs the role operator.
         */
        put: operations["putV1TradeTypeById"];
        post?: never;
        /**
         * Deletes one that nothing refers to.
         * @description Needs the role operator.
         */
        delete: operations["deleteV1TradeTypeById"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tradeTypes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists all, by id.
         * @description Needs the role reader.
         */
        get: operations["getV1TradeTypes"];
        put?: never;
        /**
         * Creates one; its abbreviation must not be taken.
         * @description Needs the role operator.
         */
        post: operations["postV1TradeTypes"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tradeTypes/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Reads one.
         * @description Needs the role reader.
         */
        get: operations["getV1TradeTypesById"];
        /**
         * Changes one; an abbreviation that executions were sent under stays.
         * @description Needs the role operator.
         */
        put: operations["putV1TradeTypesById"];
        post?: never;
        /**
         * Deletes one that nothing refers to.
         * @description Needs the role operator.
         */
        delete: operations["deleteV1TradeTypesById"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/audit-log": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists who changed what, when, and from where, the newest first.
         * @description Needs the role operator.
         */
        get: operations["getV2Auditlog"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/audits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists audits without their findings, the newest first.
         * @description Needs the role reader.
         */
        get: operations["getV2Audits"];
        put?: never;
        /**
         * Starts an audit on the replica that answers: 202 at once, and Location has its address.
         * @description 409 while one runs. It reads whole tables, and of `both` the whole ledger: that may take minutes.
         *
         *     Needs the role operator.
         */
        post: operations["postV2Audits"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/audits/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How an audit stands, with its findings once it is finished.
         * @description Needs the role reader.
         */
        get: operations["getV2AuditsById"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/blotters/{id}/rejects": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The rows of a submitted blotter to correct and submit again, as a CSV file.
         * @description Those that were refused, and those whose executions were rejected or exhausted since.
         *
         *     Needs the role reader.
         */
        get: operations["getV2BlottersByIdRejects"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/blotters/{id}/results": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All rows of a submitted blotter as a CSV file, each with the present state of its executions.
         * @description Needs the role reader.
         */
        get: operations["getV2BlottersByIdResults"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/blotters/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reads a file of orders, and says what submitting it would do; changes nothing.
         * @description The body is the file: delimited text, JSON lines, an xlsx or ods workbook, or Parquet, whatever its media
         *     type. With `Accept: text/csv` the answer is a file of the refused rows: correct it and submit it.
         *
         *     Needs the role trader.
         */
        post: operations["postV2BlottersCheck"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/blotters/submit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Creates and submits all good rows of a file as one bulk submission: all of them, or none.
         * @description The body is as for a check. Orders that exist are resumed, and never sent twice: after a lost answer submit
         *     the same file again. The submission of Location has the progress, and `/rejects` the rows to correct.
         *
         *     Needs the role trader.
         */
        post: operations["postV2BlottersSubmit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/evidence": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists evidence by execution, code and time, the latest first.
         * @description Needs the role reader.
         */
        get: operations["getV2Evidence"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/executions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A page of executions, sorted and filtered over the whole result; as CSV or NDJSON all of them.
         * @description Needs the role reader.
         */
        get: operations["getV2Executions"];
        put?: never;
        /**
         * Creates an execution of a trade order, whose quantity it takes, without sending it.
         * @description Needs the role trader.
         */
        post: operations["postV2Executions"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/executions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Reads an execution.
         * @description Needs the role reader.
         */
        get: operations["getV2ExecutionsById"];
        /**
         * Changes an execution; what was sent of it stays.
         * @description Needs the role trader.
         */
        put: operations["putV2ExecutionsById"];
        post?: never;
        /**
         * Deletes an execution that was not sent; its order gets the quantity back.
         * @description Needs the role trader.
         */
        delete: operations["deleteV2ExecutionsById"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/executions/{id}/attempts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The history of an execution: attempts with their outcomes, and the evidence that was recorded.
         * @description Needs the role reader.
         */
        get: operations["getV2ExecutionsByIdAttempts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/executions/{id}/resolve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resolves an unknown outcome manually, after checking the Execution Service's ledger.
         * @description 409 for what contradicts the ledger or the recorded state. With `dryRun` nothing changes, and the response
         *     says what the check found.
         *
         *     Needs the role operator.
         */
        post: operations["postV2ExecutionsByIdResolve"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/executions/requeue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Submits rejected or exhausted executions again, up to 1,000 by ids or by a filter.
         * @description 200 when all were requeued, 207 when some were, 409 when none was; with `dryRun` 200 and what would happen.
         *     With `Prefer: respond-async` up to 10,000, and 202: Location has the address of their progress.
         *
         *     Needs the role operator.
         */
        post: operations["postV2ExecutionsRequeue"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/executions/submit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sends up to 10,000 executions: those named, or those that match a filter and were never sent.
         * @description A filter has the names of the list's filters. Each text is one whole value; unknown names and empty
         *     conditions are refused. 200 when all or none succeeded, 207 otherwise; what is pending counts as success,
         *     and the header X-Submission-State says so.
         *     With `Prefer: respond-async` 202 at once: Location has the address of the progress.
         *
         *     Needs the role trader.
         */
        post: operations["postV2ExecutionsSubmit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/failures": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Groups rejected and exhausted executions by state, code and message.
         * @description Needs the role reader.
         */
        get: operations["getV2Failures"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/failures/executions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists rejected and exhausted executions, the latest first.
         * @description Needs the role reader.
         */
        get: operations["getV2FailuresExecutions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who is asking, their roles, and which service answers.
         * @description Needs the role reader.
         */
        get: operations["getV2Me"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pauses sending to all destinations or to one, on every replica, until it is resumed.
         * @description What is being sent goes out; everything else waits, and callers get PENDING. Safe to repeat. With `dryRun`
         *     nothing changes.
         *
         *     Needs the role operator.
         */
        post: operations["postV2Pause"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/pauses": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists the pauses of sending that are in force.
         * @description Needs the role reader.
         */
        get: operations["getV2Pauses"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/replicas": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists the replicas: what each sent in the last seconds, what it holds, its circuit and its latencies.
         * @description Each worker of a command is one. A process of an earlier release is listed while it sends.
         *
         *     Needs the role reader.
         */
        get: operations["getV2Replicas"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resumes sending to all destinations or to one: each ends the pause that was made so, and no other.
         * @description What waited is sent within seconds. Safe to repeat. With `dryRun` nothing changes.
         *
         *     Needs the role operator.
         */
        post: operations["postV2Resume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/series": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What the calls of all replicas did over time: attempts, outcomes of executions, latencies.
         * @description `complete` is false while older steps are still being read: these are missing then. A series is up to a
         *     tenth of a step old.
         *
         *     Needs the role reader.
         */
        get: operations["getV2Series"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/submissions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists bulk submissions with their progress, the newest first.
         * @description Needs the role reader.
         */
        get: operations["getV2Submissions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/submissions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The progress of a bulk submission, and a page of its results in request order.
         * @description Needs the role reader.
         */
        get: operations["getV2SubmissionsById"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/submissions/{id}/attempts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The attempts that sent its executions, oldest first, each with its outcomes.
         * @description `nextAfter` is the `after` of the next page; null at the end.
         *
         *     Needs the role reader.
         */
        get: operations["getV2SubmissionsByIdAttempts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/submissions/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Streams results as they become final, then `finished`.
         * @description Server-sent events: `result` (its id counts the results so far), `progress`, `finished`. A client that
         *     reconnects with `Last-Event-ID` continues where it was, on any replica.
         *
         *     Needs the role reader.
         */
        get: operations["getV2SubmissionsByIdEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/summary": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The state of the whole service: executions by state, the last minute, and what needs a person.
         * @description All figures come from the database and cover all replicas. They are up to a second old, in very large
         *     databases a few seconds; callers that ask at the same time share one read.
         *
         *     Needs the role reader.
         */
        get: operations["getV2Summary"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/tradeOrders": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A page of trade orders, sorted and filtered over the whole result; as CSV or NDJSON all of them.
         * @description Needs the role reader.
         */
        get: operations["getV2TradeOrders"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/tradeOrders/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Reads a trade order.
         * @description Needs the role reader.
         */
        get: operations["getV2TradeOrdersById"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/tradeOrders/batch/create": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Creates 1 to 1000 trade orders, all or none.
         * @description Needs the role trader.
         */
        post: operations["postV2TradeOrdersBatchCreate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/tradeOrders/batch/move": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Moves up to 1000 trade orders to another blotter, each for itself; what was sent of them stays.
         * @description 200 when all or none could be moved, 207 otherwise.
         *
         *     Needs the role trader.
         */
        put: operations["putV2TradeOrdersBatchMove"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/unknowns": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists executions with an unknown outcome that no sender owns, the oldest first.
         * @description Needs the role reader.
         */
        get: operations["getV2Unknowns"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All metrics, in Prometheus' text format.
         * @description Open to everyone.
         */
        get: operations["getMetrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * Alarm
         * @description Something to look at, as far as the database shows it.
         */
        Alarm: {
            link: string;
            message: string;
            name: components["schemas"]["AlarmName"];
            severity: string;
            since: string | null;
        };
        /**
         * AlarmName
         * @description What an overview warns of.
         * @enum {unknown}
         */
        AlarmName: "ATTEMPTS_OVERDUE" | "CIRCUIT_NOT_CLOSED" | "LEDGER_SUSPECTED" | "NOTHING_ACCEPTED" | "PAUSED" | "REPLICA_SLOW" | "SENDING_BLOCKED" | "UNKNOWN_NEEDS_PERSON";
        /**
         * AttemptHistory
         * @description One attempt, as far as it concerns one execution.
         */
        AttemptHistory: {
            adopted: boolean;
            attemptId: string;
            closedAt: string | null;
            code: string | null;
            durationMs: number | null;
            floorId: number;
            floorVoid: boolean;
            httpStatus: number | null;
            isNewest: boolean;
            kind: string | null;
            leaseUntil: string | null;
            lookUps: number;
            message: string | null;
            nextActionAt: string | null;
            outcomes: components["schemas"]["Found"][];
            owner: string;
            size: number;
            /** Format: date-time */
            startedAt: string;
            state: string;
        };
        /**
         * AttemptsAnswer
         * @description The history of an execution; each list in order of time.
         */
        AttemptsAnswer: {
            attempts: components["schemas"]["AttemptHistory"][];
            evidence: components["schemas"]["Evidence"][];
            executionId: number;
            executionServiceId: number | null;
            openSince: string | null;
            state: string;
            waitsFor: string | null;
        };
        /**
         * AuditAnswer
         * @description An audit with its findings.
         */
        AuditAnswer: {
            balance: components["schemas"]["Balance"] | null;
            /** @enum {string} */
            book: "database" | "both";
            counts: {
                [key: string]: number;
            };
            findings: components["schemas"]["FindingAnswer"][];
            finishedAt: string | null;
            id: string;
            ledgerRows: number | null;
            message: string;
            notes: {
                [key: string]: number;
            };
            replica: string;
            /** Format: date-time */
            startedAt: string;
            startedBy: string | null;
            /** @enum {string} */
            status: "RUNNING" | "CLEAN" | "FINDINGS" | "FAILED";
        };
        /**
         * AuditEntry
         * @description One change, or one request that changed several objects of a kind.
         */
        AuditEntry: {
            action: string;
            actor: string;
            address: string | null;
            /** Format: date-time */
            at: string;
            details: Record<string, never> | null;
            id: number;
            knownBy: string;
            object: string;
            objectCount: number;
            objectIds: number[];
            objectName: string | null;
            requestId: string | null;
            tradeOrderIds: number[];
        };
        /**
         * AuditLogAnswer
         * @description A page of the audit log, the newest entry first.
         */
        AuditLogAnswer: {
            entries: components["schemas"]["AuditEntry"][];
            nextCursor: string | null;
        };
        /**
         * AuditPost
         * @description What to audit.
         */
        AuditPost: {
            /**
             * @default both
             * @enum {string}
             */
            book?: "database" | "both";
        };
        /**
         * AuditRunAnswer
         * @description An audit without its findings.
         */
        AuditRunAnswer: {
            balance: components["schemas"]["Balance"] | null;
            /** @enum {string} */
            book: "database" | "both";
            counts: {
                [key: string]: number;
            };
            finishedAt: string | null;
            id: string;
            ledgerRows: number | null;
            message: string;
            notes: {
                [key: string]: number;
            };
            replica: string;
            /** Format: date-time */
            startedAt: string;
            startedBy: string | null;
            /** @enum {string} */
            status: "RUNNING" | "CLEAN" | "FINDINGS" | "FAILED";
        };
        /**
         * AuditsAnswer
         * @description A page of audits, the newest first.
         */
        AuditsAnswer: {
            audits: components["schemas"]["AuditRunAnswer"][];
            nextCursor: string | null;
        };
        /**
         * Balance
         * @description Counts and quantities of everything in this database, read in one statement.
         */
        Balance: {
            /** @default 0 */
            archived?: number;
            executions: number;
            oldOrders: number;
            orders: number;
            quantityHeld: Decimal;
            quantitySent: Decimal;
            states: {
                [key: string]: number;
            };
            submitted: number;
            wrongOrders: number;
        };
        /**
         * BatchCreateAnswer
         * @description All trade orders were created.
         */
        BatchCreateAnswer: {
            failed: number;
            message: string;
            results: components["schemas"]["CreatedResult"][];
            /** @enum {string} */
            status: "SUCCESS" | "PARTIAL" | "FAILURE";
            successful: number;
            totalRequested: number;
        };
        /**
         * BatchMove
         * @description Trade orders, and the blotter to move them to.
         */
        BatchMove: {
            blotterAbbreviation: string;
            tradeOrderIds: (number | string)[];
        };
        /**
         * BatchMoveAnswer
         * @description The outcomes of a batch that moves orders.
         */
        BatchMoveAnswer: {
            failed: number;
            message: string;
            results: components["schemas"]["MovedResult"][];
            /** @enum {string} */
            status: "SUCCESS" | "PARTIAL" | "FAILURE";
            successful: number;
            totalRequested: number;
        };
        /**
         * BatchSubmission
         * @description One submission of a batch.
         */
        BatchSubmission: {
            destinationId: number | string;
            quantity: Decimal | string;
            tradeOrderId: number | string;
        };
        /**
         * BatchSubmit
         * @description Parts of up to 100 trade orders to send.
         */
        BatchSubmit: {
            submissions: components["schemas"]["BatchSubmission"][];
        };
        /**
         * BatchSubmitAnswer
         * @description The outcomes of a batch of submissions.
         */
        BatchSubmitAnswer: {
            failed: number;
            message: string;
            results: components["schemas"]["SubmitResultAnswer"][];
            /** @enum {string} */
            status: "SUCCESS" | "PARTIAL" | "FAILURE";
            successful: number;
            totalRequested: number;
        };
        /**
         * Blotter
         * @description A desk's group of orders.
         */
        Blotter: {
            abbreviation: string;
            id: number;
            name: string;
            version: number;
        };
        /**
         * BlotterCheckAnswer
         * @description How a file is read, and what submitting it would do.
         */
        BlotterCheckAnswer: {
            accepted: number;
            checksum: string;
            columns: components["schemas"]["BlotterColumn"][];
            doubts: string[];
            fileName: string | null;
            form: string;
            headerLine: number;
            moreRejects: boolean;
            preview: components["schemas"]["BlotterOrder"][];
            refused: number;
            rejects: components["schemas"]["BlotterReject"][];
            rows: number;
            totals: components["schemas"]["BlotterTotals"];
            unit: string;
            warnings: string[];
        };
        /**
         * BlotterColumn
         * @description A column of the file, and the field that it holds.
         */
        BlotterColumn: {
            field: string | null;
            isIgnored: boolean;
            name: string;
        };
        /**
         * BlotterOrder
         * @description A good row as an order.
         */
        BlotterOrder: {
            blotter: string | null;
            destination: string;
            limitPrice: Decimal | null;
            line: number;
            orderId: number;
            orderType: string;
            portfolioId: string;
            quantity: Decimal;
            securityId: string;
            tradeTimestamp: string | null;
        };
        /**
         * BlotterReject
         * @description Why a row is refused; a row has one for each of its errors.
         */
        BlotterReject: {
            code: string;
            column: string;
            line: number;
            message: string;
            orderId: number | null;
            rule: string;
            value: string;
        };
        /**
         * BlotterSubmitAnswer
         * @description A submitted blotter.
         */
        BlotterSubmitAnswer: {
            accepted: number;
            executions: number;
            moreRejects: boolean;
            refused: number;
            rejects: components["schemas"]["RefusedRowAnswer"][];
            rows: number;
            submissionId: string;
        };
        /**
         * BlotterSum
         * @description Orders to be sent that have something in common.
         */
        BlotterSum: {
            orders: number;
            quantity: Decimal;
            value: Decimal;
        };
        /**
         * BlotterTotals
         * @description What would be sent.
         */
        BlotterTotals: {
            byDestination: {
                [key: string]: components["schemas"]["BlotterSum"];
            };
            byPortfolio: {
                [key: string]: components["schemas"]["BlotterSum"];
            };
            bySide: {
                [key: string]: components["schemas"]["BlotterSum"];
            };
            new: number;
            refusedBefore: number;
            resumed: number;
            sentBefore: number;
            toSend: number;
            total: components["schemas"]["BlotterSum"];
            withoutPrice: number;
        };
        /**
         * BulkAnswer
         * @description All trade orders of a bulk were created.
         */
        BulkAnswer: {
            failed: number;
            message: string;
            results: components["schemas"]["BulkResult"][];
            /** @enum {string} */
            status: "SUCCESS" | "PARTIAL" | "FAILURE";
            successful: number;
            totalRequested: number;
        };
        /**
         * BulkAttempt
         * @description One attempt that sent executions of a bulk submission, possibly among others.
         */
        BulkAttempt: {
            attemptId: string;
            closedAt: string | null;
            code: string | null;
            durationMs: number | null;
            executionIds: number[];
            httpStatus: number | null;
            kind: string | null;
            lookUps: number;
            message: string | null;
            outcomes: components["schemas"]["BulkFinding"][];
            owner: string;
            /** Format: date-time */
            startedAt: string;
            state: string;
        };
        /**
         * BulkFinding
         * @description What an attempt established about one execution of a bulk submission.
         */
        BulkFinding: {
            code: string;
            executionId: number;
            message: string;
            state: components["schemas"]["SubmissionState"];
        };
        /**
         * BulkRefusal
         * @description Nothing was created: an error in the envelope of a batch.
         */
        BulkRefusal: {
            code: string;
            detail: string;
            details: Record<string, never>;
            error: string;
            failed: number;
            message: string;
            requestId: string;
            results: components["schemas"]["BulkResult"][];
            status: string;
            successful: number;
            title: string;
            totalRequested: number;
            type: string;
        };
        /**
         * BulkResult
         * @description One trade order of a bulk.
         */
        BulkResult: {
            message: string;
            requestIndex: number;
            /** @enum {string} */
            status: "SUCCESS" | "FAILURE";
            tradeOrder: components["schemas"]["TradeOrderAnswer"] | null;
        };
        /**
         * CallerAnswer
         * @description Who is asking, and what they may do.
         */
        CallerAnswer: {
            /** @enum {string} */
            authentication: "none" | "api-key" | "token";
            name: string;
            openMode: boolean;
            roles: ("reader" | "trader" | "operator")[];
            serviceName: string;
            version: string;
        };
        /**
         * CallSeries
         * @description What the calls of all replicas did, step by step.
         */
        CallSeries: {
            complete: boolean;
            points: components["schemas"]["SeriesPoint"][];
            stepS: number;
            window: string;
        };
        /**
         * Circuit
         * @description The circuit of one replica.
         */
        Circuit: {
            reason: string;
            replica: string;
            /** Format: date-time */
            since: string;
            state: string;
        };
        /**
         * CreatedResult
         * @description One created trade order.
         */
        CreatedResult: {
            message: string;
            requestIndex: number;
            /** @enum {string} */
            status: "SUCCESS" | "FAILURE";
            tradeOrder: components["schemas"]["TradeOrderV2"] | null;
        };
        /**
         * DescribedPost
         * @description A destination, trade type or execution status to create.
         */
        DescribedPost: {
            abbreviation: string;
            description: string;
        };
        /**
         * DescribedPut
         * @description A destination, trade type or execution status after a change.
         */
        DescribedPut: {
            abbreviation: string;
            description: string;
            /** @default null */
            id?: number | string | null;
            version: number | string;
        };
        /**
         * Destination
         * @description A market or broker to which executions are sent.
         */
        Destination: {
            abbreviation: string;
            description: string;
            id: number;
            version: number;
        };
        /**
         * Evidence
         * @description A finding beside the attempts, or an operator's action.
         */
        Evidence: {
            actor: string | null;
            actorKnownBy: string | null;
            attemptId: string | null;
            code: string;
            executionServiceId: number | null;
            executionServiceIdBefore: number | null;
            /** Format: date-time */
            foundAt: string;
            message: string;
            source: string;
            state: components["schemas"]["SubmissionState"];
            stateBefore: components["schemas"]["SubmissionState"] | null;
        };
        /**
         * EvidenceAnswer
         * @description A page of evidence, the latest first.
         */
        EvidenceAnswer: {
            evidence: components["schemas"]["FoundEvidence"][];
            nextCursor: string | null;
        };
        /**
         * ExecutionAnswer
         * @description An execution; its four decimals are strings with at least two decimals.
         */
        ExecutionAnswer: {
            blotter: components["schemas"]["Blotter"] | null;
            destination: components["schemas"]["Destination"];
            executionServiceId: number | null;
            executionStatus: components["schemas"]["ExecutionStatus"];
            /** Format: date-time */
            executionTimestamp: string;
            id: number;
            limitPrice: string | null;
            quantityFilled: string;
            quantityOrdered: string;
            quantityPlaced: string;
            tradeOrder: components["schemas"]["TradeOrderAnswer"];
            tradeType: components["schemas"]["TradeType"] | null;
            version: number;
        };
        /**
         * ExecutionPage
         * @description A page of executions.
         */
        ExecutionPage: {
            executions: components["schemas"]["ExecutionV2"][];
            pagination: components["schemas"]["Pagination"];
        };
        /**
         * ExecutionPost
         * @description An execution to create.
         */
        ExecutionPost: {
            /** @default null */
            blotterId?: number | string | null;
            destinationId: number | string;
            /** @default null */
            executionServiceId?: number | string | null;
            executionStatusId: number | string;
            /** @default null */
            executionTimestamp?: string | Decimal | null;
            /** @default null */
            limitPrice?: Decimal | string | null;
            /** @default null */
            quantityFilled?: Decimal | string | null;
            quantityOrdered: Decimal | string;
            /** @default null */
            quantityPlaced?: Decimal | string | null;
            tradeOrderId: number | string;
            /** @default null */
            tradeTypeId?: number | string | null;
        };
        /**
         * ExecutionPut
         * @description An execution after a change.
         */
        ExecutionPut: {
            /** @default null */
            blotterId?: number | string | null;
            destinationId: number | string;
            /** @default null */
            executionServiceId?: number | string | null;
            executionStatusId: number | string;
            /** @default null */
            executionTimestamp?: string | Decimal | null;
            /** @default null */
            id?: number | string | null;
            /** @default null */
            limitPrice?: Decimal | string | null;
            /** @default null */
            quantityFilled?: Decimal | string | null;
            quantityOrdered: Decimal | string;
            /** @default null */
            quantityPlaced?: Decimal | string | null;
            tradeOrderId: number | string;
            /** @default null */
            tradeTypeId?: number | string | null;
            version: number | string;
        };
        /**
         * ExecutionResultAnswer
         * @description The outcome of one execution. A pending one is no failure: the service continues it.
         */
        ExecutionResultAnswer: {
            code: string;
            executionId: number;
            executionServiceId: number | null;
            message: string;
            requestIndex: number;
            status: string;
            submissionState: string | null;
        };
        /**
         * ExecutionsSubmit
         * @description Executions to send: ids or a filter, exactly one of the two. Unknown names are refused.
         */
        ExecutionsSubmit: {
            /** @default null */
            executionIds?: (number | string)[] | null;
            /** @default null */
            filter?: Record<string, never> | null;
        };
        /**
         * ExecutionsSubmitAnswer
         * @description The outcomes of all executions, in request order.
         */
        ExecutionsSubmitAnswer: {
            failed: number;
            message: string;
            pending: number;
            results: components["schemas"]["ExecutionResultAnswer"][];
            status: string;
            submissionId: string;
            successful: number;
            totalRequested: number;
        };
        /**
         * ExecutionStatus
         * @description The business status of an execution.
         */
        ExecutionStatus: {
            abbreviation: string;
            description: string;
            id: number;
            version: number;
        };
        /**
         * ExecutionV2
         * @description An execution.
         */
        ExecutionV2: {
            blotter: components["schemas"]["Blotter"] | null;
            code: string | null;
            destination: components["schemas"]["Destination"];
            executionServiceId: number | null;
            executionStatus: components["schemas"]["ExecutionStatus"];
            /** Format: date-time */
            executionTimestamp: string;
            id: number;
            limitPrice: Decimal | null;
            quantityFilled: Decimal;
            quantityOrdered: Decimal;
            quantityPlaced: Decimal;
            submissionState: string;
            tradeOrder: components["schemas"]["OrderOfExecution"];
            tradeType: components["schemas"]["TradeType"] | null;
            version: number;
        };
        /**
         * FailedExecutionAnswer
         * @description An execution that is rejected or exhausted, and why.
         */
        FailedExecutionAnswer: {
            code: string;
            destination: string;
            executionId: number;
            /** Format: date-time */
            failedAt: string;
            message: string;
            orderId: number;
            quantity: Decimal;
            state: string;
            ticker: string;
            tradeOrderId: number;
        };
        /**
         * FailedExecutionsAnswer
         * @description A page of failed executions, the latest first.
         */
        FailedExecutionsAnswer: {
            executions: components["schemas"]["FailedExecutionAnswer"][];
            nextCursor: string | null;
            total: number;
        };
        /**
         * FailureGroup
         * @description The executions that failed for one reason.
         */
        FailureGroup: {
            code: string;
            count: number;
            /** Format: date-time */
            firstAt: string;
            /** Format: date-time */
            lastAt: string;
            message: string;
            sampleExecutionId: number;
            state: components["schemas"]["SubmissionState"];
        };
        /**
         * FailuresAnswer
         * @description Failed executions by reason, the largest group first.
         */
        FailuresAnswer: {
            groups: components["schemas"]["FailureGroup"][];
            more: boolean;
        };
        /**
         * FillPut
         * @description A fill report of the Execution Service.
         */
        FillPut: {
            executionStatus: string;
            quantityFilled: Decimal | string;
            version: number | string;
        };
        /**
         * FilterPost
         * @description Selects executions. Unknown names and null are refused: ignored, they would widen what is sent.
         */
        FilterPost: {
            codes?: string[];
            destinations?: string[];
            from?: string | Decimal;
            messages?: string[];
            orderIds?: (number | string)[];
            since?: string | Decimal;
            states?: string[];
            to?: string | Decimal;
            until?: string | Decimal;
        };
        /**
         * FindingAnswer
         * @description One thing that is wrong.
         */
        FindingAnswer: {
            executionIds: number[];
            kind: string;
            message: string;
            tradeOrderId: number | null;
        };
        /**
         * Found
         * @description What an attempt, or reconciling it, established about an execution, except for a plain acceptance.
         */
        Found: {
            code: string;
            message: string;
            state: components["schemas"]["SubmissionState"];
        };
        /**
         * FoundEvidence
         * @description Evidence about one execution.
         */
        FoundEvidence: {
            actor: string | null;
            actorKnownBy: string | null;
            attemptId: string | null;
            code: string;
            executionId: number;
            executionServiceId: number | null;
            executionServiceIdBefore: number | null;
            /** Format: date-time */
            foundAt: string;
            message: string;
            source: string;
            state: components["schemas"]["SubmissionState"];
            stateBefore: components["schemas"]["SubmissionState"] | null;
        };
        /**
         * LastMinute
         * @description The calls that began in the last minute, and the first outcomes of their executions.
         */
        LastMinute: {
            accepted: number;
            attempts: number;
            executions: number;
            executionsPerS: Decimal;
            exhausted: number;
            latencyMs: components["schemas"]["Latency"];
            rejected: number;
            retried: number;
            unknown: number;
        };
        /**
         * Latency
         * @description How long calls took, within 2.5 %; null without calls that were answered.
         */
        Latency: {
            p50: Decimal | null;
            p95: Decimal | null;
            p99: Decimal | null;
        };
        /**
         * LevelPost
         * @description A new level; null restores the one in the settings.
         */
        LevelPost: {
            /** @default null */
            configuredLevel?: string | null;
        };
        /**
         * ListedSubmissionAnswer
         * @description A bulk submission in the list.
         */
        ListedSubmissionAnswer: {
            /** Format: date-time */
            createdAt: string;
            createdBy: string | null;
            failed: number;
            finishedAt: string | null;
            isBlotter: boolean;
            pending: number;
            status: string;
            submissionId: string;
            successful: number;
            totalRequested: number;
        };
        /**
         * LookUpAnswer
         * @description What the Execution Service's ledger says.
         */
        LookUpAnswer: {
            message: string;
            sight: string;
        };
        /**
         * MovedResult
         * @description One trade order of a batch that moves orders.
         */
        MovedResult: {
            message: string;
            requestIndex: number;
            /** @enum {string} */
            status: "SUCCESS" | "FAILURE";
            tradeOrder: components["schemas"]["TradeOrderV2"] | null;
            tradeOrderId: number;
        };
        /**
         * NamedPost
         * @description A blotter to create.
         */
        NamedPost: {
            abbreviation: string;
            name: string;
        };
        /**
         * NamedPut
         * @description A blotter after a change.
         */
        NamedPut: {
            abbreviation: string;
            /** @default null */
            id?: number | string | null;
            name: string;
            version: number | string;
        };
        /**
         * OrderOfExecution
         * @description The trade order of an execution, in short.
         */
        OrderOfExecution: {
            id: number;
            orderId: number;
            portfolio: components["schemas"]["PortfolioAnswer"];
            security: components["schemas"]["SecurityAnswer"];
        };
        /**
         * Pagination
         * @description Where a page stands in the whole result.
         */
        Pagination: {
            currentPage: number;
            hasNext: boolean;
            hasPrevious: boolean;
            nextCursor: string | null;
            pageSize: number;
            totalElements: number;
            totalIsEstimate: boolean;
            totalPages: number;
        };
        /**
         * PauseAnswer
         * @description A pause that is in force.
         */
        PauseAnswer: {
            destination: components["schemas"]["PausedDestination"] | null;
            id: number;
            /** Format: date-time */
            pausedAt: string;
            pausedBy: string;
            reason: string;
            waiting: number;
        };
        /**
         * PausedAnswer
         * @description The pause that was made, or that a dry run would make.
         */
        PausedAnswer: {
            destination: string | null;
            dryRun: boolean;
            inFlight: number;
            message: string;
            paused: boolean;
            waiting: number;
        };
        /**
         * PausedDestination
         * @description A destination that is paused.
         */
        PausedDestination: {
            abbreviation: string;
            id: number;
        };
        /**
         * PausedObject
         * @description The destination of a pause.
         */
        PausedObject: {
            abbreviation: string;
            id: number;
        };
        /**
         * PauseInForce
         * @description Sending that is paused.
         */
        PauseInForce: {
            destination: components["schemas"]["PausedObject"] | null;
            id: number;
            /** Format: date-time */
            pausedAt: string;
            pausedBy: string;
            reason: string;
            waiting: number;
        };
        /**
         * PausePost
         * @description What to pause or resume, and why. Unknown names are refused: a misspelled `destination` would stop all.
         */
        PausePost: {
            /** @default null */
            destination?: string | null;
            /** @default false */
            dryRun?: boolean;
            /** @default  */
            operator?: string;
            reason: string;
        };
        /**
         * PausesAnswer
         * @description All pauses, oldest first.
         */
        PausesAnswer: {
            pauses: components["schemas"]["PauseAnswer"][];
        };
        /**
         * PortfolioAnswer
         * @description A portfolio; where its name is unknown, its id stands in.
         */
        PortfolioAnswer: {
            name: string;
            portfolioId: string;
        };
        /**
         * ProblemBody
         * @description An error: RFC 9457, and the fields that legacy clients read.
         */
        ProblemBody: {
            code: string;
            detail: string;
            details: Record<string, never>;
            error: string;
            message: string;
            requestId: string;
            status: number;
            title: string;
            type: string;
        };
        /**
         * ProgressAnswer
         * @description The progress of a bulk submission.
         */
        ProgressAnswer: {
            /** Format: date-time */
            createdAt: string;
            failed: number;
            pending: number;
            status: string;
            submissionId: string;
            successful: number;
            totalRequested: number;
        };
        /**
         * RefusedRowAnswer
         * @description A row of a submitted blotter that was refused.
         */
        RefusedRowAnswer: {
            code: string;
            line: number;
            message: string;
            orderId: number | null;
        };
        /**
         * ReplicaAnswer
         * @description A replica, with the latencies of its calls.
         */
        ReplicaAnswer: {
            alive: boolean;
            attempts: number;
            circuit: string | null;
            circuitReason: string | null;
            circuitSince: string | null;
            executions: number;
            holds: number;
            lastAttemptAt: string | null;
            lastSeenAt: string | null;
            latencyMs: components["schemas"]["Latency"];
            openAttempts: number;
            replica: string;
            slowTimes: Decimal | null;
            startedAt: string | null;
            version: string | null;
            waitsFor: string | null;
            workers: number | null;
        };
        /**
         * ReplicaList
         * @description The replicas of the service; each worker is one.
         */
        ReplicaList: {
            replicas: components["schemas"]["ReplicaAnswer"][];
            withinS: number;
        };
        /**
         * Report
         * @description A probe's response: UP or DOWN, and why.
         */
        Report: {
            /** @default null */
            components?: Record<string, never> | null;
            /** @default null */
            details?: Record<string, never> | null;
            /** @default null */
            error?: string | null;
            /** @default null */
            message?: string | null;
            status: string;
        };
        /**
         * RequeueAnswer
         * @description The outcomes for all executions, or what a dry run expects.
         */
        RequeueAnswer: {
            dryRun: boolean;
            failed: number;
            message: string;
            more: boolean;
            ofEarlierEpoch: number;
            quantity: Decimal;
            refusals: {
                [key: string]: number;
            };
            results: components["schemas"]["RequeueResult"][];
            status: string;
            successful: number;
            totalRequested: number;
        };
        /**
         * RequeuePost
         * @description Executions to submit again: ids or a filter, exactly one of the two. Unknown names are refused.
         */
        RequeuePost: {
            /** @default false */
            dryRun?: boolean;
            /** @default null */
            executionIds?: (number | string)[] | null;
            /** @default null */
            filter?: components["schemas"]["FilterPost"] | null;
            /** @default  */
            operator?: string;
            reason: string;
        };
        /**
         * RequeueResult
         * @description The outcome for one execution, or what a dry run expects.
         */
        RequeueResult: {
            code: string;
            endedCode: string | null;
            endedMessage: string | null;
            executionId: number;
            message: string;
            orderAvailable: Decimal | null;
            orderId: number | null;
            quantity: Decimal | null;
            state: string | null;
            status: string;
        };
        /**
         * RequeueStarted
         * @description The progress of what was requeued, as a bulk submission has it.
         */
        RequeueStarted: {
            /** Format: date-time */
            createdAt: string;
            failed: number;
            more: boolean;
            pending: number;
            refusals: {
                [key: string]: number;
            };
            refused: number;
            status: string;
            submissionId: string;
            successful: number;
            totalRequested: number;
        };
        /**
         * ResolveAnswer
         * @description The resolution that was made, or that a dry run would make.
         */
        ResolveAnswer: {
            executionId: number;
            executionServiceId: number | null;
            lookUp: components["schemas"]["LookUpAnswer"];
            message: string;
            resolved: boolean;
            state: string;
            stateBefore: string;
        };
        /**
         * ResolvePost
         * @description A manual resolution of an unknown outcome. Unknown names are refused: a misspelled `dryRun` would act.
         */
        ResolvePost: {
            /** @default false */
            dryRun?: boolean;
            /** @default null */
            executionServiceId?: number | string | null;
            /** @default false */
            force?: boolean;
            /** @default  */
            operator?: string;
            /** @enum {string} */
            outcome: "ACCEPTED" | "NOT_ACCEPTED";
            reason: string;
        };
        /**
         * ResumedAnswer
         * @description The pause that was ended, or that a dry run would end.
         */
        ResumedAnswer: {
            destination: string | null;
            dryRun: boolean;
            inFlight: number;
            message: string;
            resumed: boolean;
            waiting: number;
        };
        /**
         * SecurityAnswer
         * @description A security; where its ticker is unknown, its id stands in.
         */
        SecurityAnswer: {
            securityId: string;
            ticker: string;
        };
        /**
         * SeriesPoint
         * @description One step of a series: the calls that began in it, and the first outcomes of their executions.
         */
        SeriesPoint: {
            accepted: number;
            /** Format: date-time */
            at: string;
            attempts: number;
            executions: number;
            exhausted: number;
            p50Ms: Decimal | null;
            p95Ms: Decimal | null;
            rejected: number;
            retried: number;
            unknown: number;
        };
        /**
         * ServiceSummary
         * @description The state of the whole service: all replicas, from the database.
         */
        ServiceSummary: {
            alarms: components["schemas"]["Alarm"][];
            /** Format: date-time */
            at: string;
            circuit: components["schemas"]["Circuit"][];
            counts: {
                [key: string]: number;
            };
            countsAreEstimates: {
                [key: string]: boolean;
            };
            lastMinute: components["schemas"]["LastMinute"];
            needsYou: number;
            oldestOpenSince: string | null;
            paused: components["schemas"]["PauseInForce"][];
            replicas: number;
        };
        /**
         * SubmissionAnswer
         * @description A bulk submission and a page of its results, in request order.
         */
        SubmissionAnswer: {
            /** Format: date-time */
            createdAt: string;
            failed: number;
            pagination: components["schemas"]["SubmissionPagination"];
            pending: number;
            results: components["schemas"]["ExecutionResultAnswer"][];
            status: string;
            submissionId: string;
            successful: number;
            totalRequested: number;
        };
        /**
         * SubmissionAttemptsAnswer
         * @description Attempts of a bulk submission, oldest first.
         */
        SubmissionAttemptsAnswer: {
            attempts: components["schemas"]["BulkAttempt"][];
            nextAfter: string | null;
        };
        /**
         * SubmissionPagination
         * @description The position of a page of results.
         */
        SubmissionPagination: {
            currentPage: number;
            hasNext: boolean;
            hasPrevious: boolean;
            pageSize: number;
            totalElements: number;
            totalPages: number;
        };
        /**
         * SubmissionsAnswer
         * @description A page of bulk submissions, the newest first.
         */
        SubmissionsAnswer: {
            nextCursor: string | null;
            submissions: components["schemas"]["ListedSubmissionAnswer"][];
        };
        /**
         * SubmissionState
         * @description The progress of an execution's submission, independent of its business status.
         * @enum {unknown}
         */
        SubmissionState: "accepted" | "claimed" | "exhausted" | "none" | "queued" | "rejected" | "retry" | "unknown";
        /**
         * SubmitResultAnswer
         * @description The outcome of one submission of a batch.
         */
        SubmitResultAnswer: {
            execution: components["schemas"]["ExecutionAnswer"] | null;
            message: string;
            requestIndex: number;
            /** @enum {string} */
            status: "SUCCESS" | "FAILURE";
            tradeOrderId: number;
        };
        /**
         * TradeOrderAnswer
         * @description A trade order; its decimals are JSON numbers.
         */
        TradeOrderAnswer: {
            blotter: components["schemas"]["Blotter"] | null;
            id: number;
            limitPrice: Decimal | null;
            orderId: number;
            orderType: string;
            portfolioId: string;
            quantity: Decimal;
            quantitySent: Decimal;
            securityId: string;
            submitted: boolean;
            /** Format: date-time */
            tradeTimestamp: string;
            version: number;
        };
        /**
         * TradeOrderBulkPost
         * @description Trade orders to create, all or none.
         */
        TradeOrderBulkPost: {
            tradeOrders: components["schemas"]["TradeOrderPost"][];
        };
        /**
         * TradeOrderPage
         * @description A page of trade orders.
         */
        TradeOrderPage: {
            pagination: components["schemas"]["Pagination"];
            tradeOrders: components["schemas"]["TradeOrderV2"][];
        };
        /**
         * TradeOrderPost
         * @description A trade order to create.
         */
        TradeOrderPost: {
            /** @default null */
            blotterId?: number | string | null;
            /** @default null */
            limitPrice?: Decimal | string | null;
            orderId: number | string;
            orderType: string;
            portfolioId: string;
            quantity: Decimal | string;
            securityId: string;
            /** @default null */
            tradeTimestamp?: string | Decimal | null;
        };
        /**
         * TradeOrderPut
         * @description A trade order after a change; clients do not change what was sent of it.
         */
        TradeOrderPut: {
            /** @default null */
            blotterId?: number | string | null;
            /** @default null */
            id?: number | string | null;
            /** @default null */
            limitPrice?: Decimal | string | null;
            orderId: number | string;
            orderType: string;
            portfolioId: string;
            quantity: Decimal | string;
            securityId: string;
            /** @default null */
            tradeTimestamp?: string | Decimal | null;
            version: number | string;
        };
        /**
         * TradeOrderSubmit
         * @description The part of a trade order to send.
         */
        TradeOrderSubmit: {
            destinationId: number | string;
            quantity: Decimal | string;
        };
        /**
         * TradeOrderV2
         * @description A trade order.
         */
        TradeOrderV2: {
            blotter: components["schemas"]["Blotter"] | null;
            id: number;
            limitPrice: Decimal | null;
            orderId: number;
            orderType: string;
            portfolio: components["schemas"]["PortfolioAnswer"];
            quantity: Decimal;
            quantitySent: Decimal;
            security: components["schemas"]["SecurityAnswer"];
            submitted: boolean;
            /** Format: date-time */
            tradeTimestamp: string;
            version: number;
        };
        /**
         * TradeType
         * @description BUY, SELL, SHORT, COVER or EXRC.
         */
        TradeType: {
            abbreviation: string;
            description: string;
            id: number;
            version: number;
        };
        /**
         * UnknownAnswer
         * @description An execution that may have been accepted, and what it waits for.
         */
        UnknownAnswer: {
            attemptId: string | null;
            destination: string;
            executionId: number;
            lastCode: string | null;
            lookUps: number;
            needsPerson: boolean;
            nextActionAt: string | null;
            openSince: string | null;
            orderId: number;
            quantity: Decimal;
            state: string;
            ticker: string;
            tradeOrderId: number;
            waitsFor: string;
        };
        /**
         * UnknownsAnswer
         * @description A page of executions with an unknown outcome, the oldest first.
         */
        UnknownsAnswer: {
            nextCursor: string | null;
            total: number;
            unknowns: components["schemas"]["UnknownAnswer"][];
        };
    };
    responses: {
        /** @description The request breaks a rule; the message names field, value and rule. */
        Error400: {
            headers: {
                "X-Request-ID": components["headers"]["X-Request-ID"];
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "about:blank",
                 *       "title": "Bad Request",
                 *       "detail": "quantity: must be greater than zero; got '-5'",
                 *       "error": "quantity: must be greater than zero; got '-5'",
                 *       "message": "quantity: must be greater than zero; got '-5'",
                 *       "details": {
                 *         "field": "quantity",
                 *         "rule": "must be greater than zero",
                 *         "value": "-5"
                 *       },
                 *       "code": "INVALID_INPUT",
                 *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                 *       "status": 400
                 *     }
                 */
                "application/problem+json": components["schemas"]["ProblemBody"];
            };
        };
        /** @description The key or token is missing or unknown. */
        Error401: {
            headers: {
                "WWW-Authenticate": components["headers"]["WWW-Authenticate"];
                "X-Request-ID": components["headers"]["X-Request-ID"];
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "about:blank",
                 *       "title": "Unauthorized",
                 *       "detail": "give a key or token: Authorization: Bearer, or X-API-Key",
                 *       "error": "give a key or token: Authorization: Bearer, or X-API-Key",
                 *       "message": "give a key or token: Authorization: Bearer, or X-API-Key",
                 *       "details": {},
                 *       "code": "NOT_AUTHENTICATED",
                 *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                 *       "status": 401
                 *     }
                 */
                "application/problem+json": components["schemas"]["ProblemBody"];
            };
        };
        /** @description The caller lacks the required role. */
        Error403: {
            headers: {
                "X-Request-ID": components["headers"]["X-Request-ID"];
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "about:blank",
                 *       "title": "Forbidden",
                 *       "detail": "this needs the role trader; desk has reader",
                 *       "error": "this needs the role trader; desk has reader",
                 *       "message": "this needs the role trader; desk has reader",
                 *       "details": {},
                 *       "code": "NOT_PERMITTED",
                 *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                 *       "status": 403
                 *     }
                 */
                "application/problem+json": components["schemas"]["ProblemBody"];
            };
        };
        /** @description Not found: the resource itself, or one that the body refers to. */
        Error404: {
            headers: {
                "X-Request-ID": components["headers"]["X-Request-ID"];
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "about:blank",
                 *       "title": "Not Found",
                 *       "detail": "trade order 7 does not exist",
                 *       "error": "trade order 7 does not exist",
                 *       "message": "trade order 7 does not exist",
                 *       "details": {
                 *         "id": 7,
                 *         "thing": "trade order"
                 *       },
                 *       "code": "NOT_FOUND",
                 *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                 *       "status": 404
                 *     }
                 */
                "application/problem+json": components["schemas"]["ProblemBody"];
            };
        };
        /** @description The body did not arrive in time. */
        Error408: {
            headers: {
                "X-Request-ID": components["headers"]["X-Request-ID"];
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "about:blank",
                 *       "title": "Request Timeout",
                 *       "detail": "the body did not arrive within 30 s",
                 *       "error": "the body did not arrive within 30 s",
                 *       "message": "the body did not arrive within 30 s",
                 *       "details": {},
                 *       "code": "BODY_TOO_SLOW",
                 *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                 *       "status": 408
                 *     }
                 */
                "application/problem+json": components["schemas"]["ProblemBody"];
            };
        };
        /** @description Conflict: another version, a name that is taken, or an execution in flight. */
        Error409: {
            headers: {
                "X-Request-ID": components["headers"]["X-Request-ID"];
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "about:blank",
                 *       "title": "Conflict",
                 *       "detail": "trade order 7 has version 3, not 2: read it again and repeat the change",
                 *       "error": "trade order 7 has version 3, not 2: read it again and repeat the change",
                 *       "message": "trade order 7 has version 3, not 2: read it again and repeat the change",
                 *       "details": {
                 *         "current": 3,
                 *         "given": 2,
                 *         "id": 7,
                 *         "thing": "trade order"
                 *       },
                 *       "code": "VERSION_CONFLICT",
                 *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                 *       "status": 409
                 *     }
                 */
                "application/problem+json": components["schemas"]["ProblemBody"];
            };
        };
        /** @description The body or the list is too large. */
        Error413: {
            headers: {
                "X-Request-ID": components["headers"]["X-Request-ID"];
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "about:blank",
                 *       "title": "Request Entity Too Large",
                 *       "detail": "submissions: must be at most 100; got 101, nothing was submitted",
                 *       "error": "submissions: must be at most 100; got 101, nothing was submitted",
                 *       "message": "submissions: must be at most 100; got 101, nothing was submitted",
                 *       "details": {},
                 *       "code": "TOO_MANY",
                 *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                 *       "status": 413
                 *     }
                 */
                "application/problem+json": components["schemas"]["ProblemBody"];
            };
        };
        /** @description The body is not plain JSON. */
        Error415: {
            headers: {
                "X-Request-ID": components["headers"]["X-Request-ID"];
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "about:blank",
                 *       "title": "Unsupported Media Type",
                 *       "detail": "Content-Type: must be application/json; got 'text/plain'",
                 *       "error": "Content-Type: must be application/json; got 'text/plain'",
                 *       "message": "Content-Type: must be application/json; got 'text/plain'",
                 *       "details": {
                 *         "field": "Content-Type",
                 *         "rule": "must be application/json",
                 *         "value": "text/plain"
                 *       },
                 *       "code": "UNSUPPORTED_MEDIA_TYPE",
                 *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                 *       "status": 415
                 *     }
                 */
                "application/problem+json": components["schemas"]["ProblemBody"];
            };
        };
        /** @description The request names a host that is not allowed: see `server.allowed_hosts`. */
        Error421: {
            headers: {
                "X-Request-ID": components["headers"]["X-Request-ID"];
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "about:blank",
                 *       "title": "Misdirected Request",
                 *       "detail": "Host: must name this machine or be one of server.allowed_hosts; got 'trade.example'",
                 *       "error": "Host: must name this machine or be one of server.allowed_hosts; got 'trade.example'",
                 *       "message": "Host: must name this machine or be one of server.allowed_hosts; got 'trade.example'",
                 *       "details": {
                 *         "field": "Host",
                 *         "rule": "must name this machine or be one of server.allowed_hosts",
                 *         "value": "trade.example"
                 *       },
                 *       "code": "HOST_NOT_ALLOWED",
                 *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                 *       "status": 421
                 *     }
                 */
                "application/problem+json": components["schemas"]["ProblemBody"];
            };
        };
        /** @description The Idempotency-Key was used with another path, query or body. */
        Error422: {
            headers: {
                "X-Request-ID": components["headers"]["X-Request-ID"];
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "about:blank",
                 *       "title": "Unprocessable Entity",
                 *       "detail": "Idempotency-Key: must be new for a new request; got 'k-1'",
                 *       "error": "Idempotency-Key: must be new for a new request; got 'k-1'",
                 *       "message": "Idempotency-Key: must be new for a new request; got 'k-1'",
                 *       "details": {
                 *         "field": "Idempotency-Key",
                 *         "rule": "must be new for a new request",
                 *         "value": "k-1"
                 *       },
                 *       "code": "IDEMPOTENCY_KEY_REUSED",
                 *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                 *       "status": 422
                 *     }
                 */
                "application/problem+json": components["schemas"]["ProblemBody"];
            };
        };
        /** @description Too many requests of this client: Retry-After says when to continue. */
        Error429: {
            headers: {
                "Retry-After": components["headers"]["Retry-After"];
                "X-Request-ID": components["headers"]["X-Request-ID"];
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "about:blank",
                 *       "title": "Too Many Requests",
                 *       "detail": "more than 50 requests a second",
                 *       "error": "more than 50 requests a second",
                 *       "message": "more than 50 requests a second",
                 *       "details": {},
                 *       "code": "TOO_MANY_REQUESTS",
                 *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                 *       "status": 429
                 *     }
                 */
                "application/problem+json": components["schemas"]["ProblemBody"];
            };
        };
        /** @description A defect, or wrong configuration: see the service log for this request id. */
        Error500: {
            headers: {
                "X-Request-ID": components["headers"]["X-Request-ID"];
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "about:blank",
                 *       "title": "Internal Server Error",
                 *       "detail": "unexpected internal error; see the service log for this request id",
                 *       "error": "unexpected internal error; see the service log for this request id",
                 *       "message": "unexpected internal error; see the service log for this request id",
                 *       "details": {},
                 *       "code": "INTERNAL_ERROR",
                 *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                 *       "status": 500
                 *     }
                 */
                "application/problem+json": components["schemas"]["ProblemBody"];
            };
        };
        /** @description The Execution Service failed after all retries; nothing was accepted. */
        Error502: {
            headers: {
                "X-Request-ID": components["headers"]["X-Request-ID"];
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "about:blank",
                 *       "title": "Bad Gateway",
                 *       "detail": "execution 9 was not accepted: the connection to the Execution Service broke",
                 *       "error": "execution 9 was not accepted: the connection to the Execution Service broke",
                 *       "message": "execution 9 was not accepted: the connection to the Execution Service broke",
                 *       "details": {
                 *         "executionId": 9,
                 *         "reason": "DOWNSTREAM_CONNECTION_LOST",
                 *         "state": "exhausted"
                 *       },
                 *       "code": "NOT_ACCEPTED",
                 *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                 *       "status": 502
                 *     }
                 */
                "application/problem+json": components["schemas"]["ProblemBody"];
            };
        };
        /** @description The database or the Execution Service is unavailable, or the service is overloaded. Or `TOO_SLOW`. */
        Error503: {
            headers: {
                "X-Request-ID": components["headers"]["X-Request-ID"];
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "about:blank",
                 *       "title": "Service Unavailable",
                 *       "detail": "the database is away: nothing is lost, try again",
                 *       "error": "the database is away: nothing is lost, try again",
                 *       "message": "the database is away: nothing is lost, try again",
                 *       "details": {},
                 *       "code": "STORE_UNAVAILABLE",
                 *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                 *       "status": 503
                 *     }
                 */
                "application/problem+json": components["schemas"]["ProblemBody"];
            };
        };
        /** @description The Execution Service did not answer in time; nothing was accepted. */
        Error504: {
            headers: {
                "X-Request-ID": components["headers"]["X-Request-ID"];
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "about:blank",
                 *       "title": "Gateway Timeout",
                 *       "detail": "execution 9 was not accepted: the Execution Service did not answer in time",
                 *       "error": "execution 9 was not accepted: the Execution Service did not answer in time",
                 *       "message": "execution 9 was not accepted: the Execution Service did not answer in time",
                 *       "details": {
                 *         "executionId": 9,
                 *         "reason": "DOWNSTREAM_READ_TIMEOUT",
                 *         "state": "exhausted"
                 *       },
                 *       "code": "NOT_ACCEPTED",
                 *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                 *       "status": 504
                 *     }
                 */
                "application/problem+json": components["schemas"]["ProblemBody"];
            };
        };
    };
    parameters: never;
    requestBodies: never;
    headers: {
        /** @description `true` in an answer to a repeat. */
        "Idempotent-Replayed": string;
        /** @description The address of the bulk submission. */
        Location: string;
        /** @description `respond-async` when it was applied. */
        "Preference-Applied": string;
        /** @description Seconds. */
        "Retry-After": number;
        /** @description How to authenticate. */
        "WWW-Authenticate": string;
        /** @description Query parameters that the list does not know and ignored, percent-encoded; absent when there are none. */
        "X-Ignored-Parameters": string;
        /** @description The id of the request, as in the log. */
        "X-Request-ID": string;
        /** @description What the client should do meanwhile. */
        "X-Submission-Message": string;
        /** @description The states of pending executions; absent when there are none. */
        "X-Submission-State": string;
        /** @description The number of all rows; see X-Total-Is-Estimate. */
        "X-Total-Count": number;
        /** @description `true` while the rows are being counted; absent when they were. */
        "X-Total-Is-Estimate": string;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getActuatorHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
            500: components["responses"]["Error500"];
            /** @description The database or the Execution Service is unavailable, or the service is overloaded. Or `TOO_SLOW`. */
            503: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
        };
    };
    getActuatorHealthLiveness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
            500: components["responses"]["Error500"];
        };
    };
    getActuatorHealthReadiness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
            500: components["responses"]["Error500"];
            /** @description The database or the Execution Service is unavailable, or the service is overloaded. Or `TOO_SLOW`. */
            503: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
        };
    };
    getActuatorInfo: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            500: components["responses"]["Error500"];
        };
    };
    getActuatorLoggers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getActuatorLoggersByName: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Its name. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postActuatorLoggersByName: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Its name. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LevelPost"];
            };
        };
        responses: {
            /** @description No content. */
            204: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getActuatorMetrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: string[];
                    };
                };
            };
            500: components["responses"]["Error500"];
        };
    };
    getActuatorMetricsByName: {
        parameters: {
            query?: {
                /** @description Only the series with this value of this label, such as `status:200`; may be repeated. */
                tag?: string[];
            };
            header?: never;
            path: {
                /** @description Its name. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            400: components["responses"]["Error400"];
            404: components["responses"]["Error404"];
            500: components["responses"]["Error500"];
        };
    };
    getActuatorPrometheus: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            500: components["responses"]["Error500"];
        };
    };
    getV1Blotters: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Blotter"][];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV1Blotters: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat with the same key creates and sends nothing again; it gets the first request's answer. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "abbreviation": "EQ",
                 *       "name": "Equity"
                 *     }
                 */
                "application/json": components["schemas"]["NamedPost"];
            };
        };
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "abbreviation": "EQ",
                     *       "name": "Equity",
                     *       "version": 1
                     *     }
                     */
                    "application/json": components["schemas"]["Blotter"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            422: components["responses"]["Error422"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV1BlottersById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the reference. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "abbreviation": "EQ",
                     *       "name": "Equity",
                     *       "version": 1
                     *     }
                     */
                    "application/json": components["schemas"]["Blotter"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    putV1BlottersById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the reference. */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "abbreviation": "EQ",
                 *       "name": "Equities",
                 *       "version": 1,
                 *       "id": 1
                 *     }
                 */
                "application/json": components["schemas"]["NamedPut"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "abbreviation": "EQ",
                     *       "name": "Equity",
                     *       "version": 1
                     *     }
                     */
                    "application/json": components["schemas"]["Blotter"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    deleteV1BlottersById: {
        parameters: {
            query: {
                /** @description The version that was read: another one is refused with 409. */
                version: number;
            };
            header?: never;
            path: {
                /** @description The id of the reference. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No content. */
            204: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV1Destinations: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Destination"][];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV1Destinations: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat with the same key creates and sends nothing again; it gets the first request's answer. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "abbreviation": "ML",
                 *       "description": "Merrill Lynch"
                 *     }
                 */
                "application/json": components["schemas"]["DescribedPost"];
            };
        };
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "abbreviation": "ML",
                     *       "description": "Merrill Lynch",
                     *       "version": 1
                     *     }
                     */
                    "application/json": components["schemas"]["Destination"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            422: components["responses"]["Error422"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV1DestinationsById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the reference. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "abbreviation": "ML",
                     *       "description": "Merrill Lynch",
                     *       "version": 1
                     *     }
                     */
                    "application/json": components["schemas"]["Destination"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    putV1DestinationsById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the reference. */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "abbreviation": "ML",
                 *       "description": "Merrill",
                 *       "version": 1,
                 *       "id": 1
                 *     }
                 */
                "application/json": components["schemas"]["DescribedPut"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "abbreviation": "ML",
                     *       "description": "Merrill Lynch",
                     *       "version": 1
                     *     }
                     */
                    "application/json": components["schemas"]["Destination"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    deleteV1DestinationsById: {
        parameters: {
            query: {
                /** @description The version that was read: another one is refused with 409. */
                version: number;
            };
            header?: never;
            path: {
                /** @description The id of the reference. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No content. */
            204: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV1ExecutionByIdSubmit: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat with the same key creates and sends nothing again; it gets the first request's answer. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the execution. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    "X-Submission-Message": components["headers"]["X-Submission-Message"];
                    "X-Submission-State": components["headers"]["X-Submission-State"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 9,
                     *       "executionTimestamp": "2026-01-30T15:30:00Z",
                     *       "executionStatus": {
                     *         "id": 2,
                     *         "abbreviation": "SENT",
                     *         "description": "Sent",
                     *         "version": 1
                     *       },
                     *       "blotter": {
                     *         "id": 1,
                     *         "abbreviation": "EQ",
                     *         "name": "Equity",
                     *         "version": 1
                     *       },
                     *       "tradeType": {
                     *         "id": 1,
                     *         "abbreviation": "BUY",
                     *         "description": "Buy",
                     *         "version": 1
                     *       },
                     *       "tradeOrder": {
                     *         "id": 7,
                     *         "orderId": 4711,
                     *         "portfolioId": "P1",
                     *         "orderType": "BUY",
                     *         "securityId": "S1",
                     *         "quantity": 100.5,
                     *         "quantitySent": 100.5,
                     *         "limitPrice": 189.12345678,
                     *         "tradeTimestamp": "2026-01-30T15:30:00Z",
                     *         "blotter": {
                     *           "id": 1,
                     *           "abbreviation": "EQ",
                     *           "name": "Equity",
                     *           "version": 1
                     *         },
                     *         "submitted": true,
                     *         "version": 2
                     *       },
                     *       "destination": {
                     *         "id": 1,
                     *         "abbreviation": "ML",
                     *         "description": "Merrill Lynch",
                     *         "version": 1
                     *       },
                     *       "quantityOrdered": "100.50",
                     *       "quantityPlaced": "100.50",
                     *       "quantityFilled": "0.00",
                     *       "limitPrice": "189.12345678",
                     *       "executionServiceId": 815,
                     *       "version": 2
                     *     }
                     */
                    "application/json": components["schemas"]["ExecutionAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            421: components["responses"]["Error421"];
            422: components["responses"]["Error422"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV1Executions: {
        parameters: {
            query?: {
                /** @description Rows of the page; 1000 when left out. */
                limit?: number;
                /** @description Rows left out before the page, exactly. */
                offset?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    "X-Total-Count": components["headers"]["X-Total-Count"];
                    "X-Total-Is-Estimate": components["headers"]["X-Total-Is-Estimate"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ExecutionAnswer"][];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV1Executions: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat with the same key creates and sends nothing again; it gets the first request's answer. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "executionStatusId": 1,
                 *       "tradeOrderId": 7,
                 *       "destinationId": 1,
                 *       "quantityOrdered": 100.5,
                 *       "quantityPlaced": null,
                 *       "quantityFilled": null,
                 *       "limitPrice": 189.12345678,
                 *       "blotterId": null,
                 *       "tradeTypeId": null,
                 *       "executionServiceId": null,
                 *       "executionTimestamp": null
                 *     }
                 */
                "application/json": components["schemas"]["ExecutionPost"];
            };
        };
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 9,
                     *       "executionTimestamp": "2026-01-30T15:30:00Z",
                     *       "executionStatus": {
                     *         "id": 2,
                     *         "abbreviation": "SENT",
                     *         "description": "Sent",
                     *         "version": 1
                     *       },
                     *       "blotter": {
                     *         "id": 1,
                     *         "abbreviation": "EQ",
                     *         "name": "Equity",
                     *         "version": 1
                     *       },
                     *       "tradeType": {
                     *         "id": 1,
                     *         "abbreviation": "BUY",
                     *         "description": "Buy",
                     *         "version": 1
                     *       },
                     *       "tradeOrder": {
                     *         "id": 7,
                     *         "orderId": 4711,
                     *         "portfolioId": "P1",
                     *         "orderType": "BUY",
                     *         "securityId": "S1",
                     *         "quantity": 100.5,
                     *         "quantitySent": 100.5,
                     *         "limitPrice": 189.12345678,
                     *         "tradeTimestamp": "2026-01-30T15:30:00Z",
                     *         "blotter": {
                     *           "id": 1,
                     *           "abbreviation": "EQ",
                     *           "name": "Equity",
                     *           "version": 1
                     *         },
                     *         "submitted": true,
                     *         "version": 2
                     *       },
                     *       "destination": {
                     *         "id": 1,
                     *         "abbreviation": "ML",
                     *         "description": "Merrill Lynch",
                     *         "version": 1
                     *       },
                     *       "quantityOrdered": "100.50",
                     *       "quantityPlaced": "100.50",
                     *       "quantityFilled": "0.00",
                     *       "limitPrice": "189.12345678",
                     *       "executionServiceId": 815,
                     *       "version": 2
                     *     }
                     */
                    "application/json": components["schemas"]["ExecutionAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            422: components["responses"]["Error422"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV1ExecutionsById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the execution. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 9,
                     *       "executionTimestamp": "2026-01-30T15:30:00Z",
                     *       "executionStatus": {
                     *         "id": 2,
                     *         "abbreviation": "SENT",
                     *         "description": "Sent",
                     *         "version": 1
                     *       },
                     *       "blotter": {
                     *         "id": 1,
                     *         "abbreviation": "EQ",
                     *         "name": "Equity",
                     *         "version": 1
                     *       },
                     *       "tradeType": {
                     *         "id": 1,
                     *         "abbreviation": "BUY",
                     *         "description": "Buy",
                     *         "version": 1
                     *       },
                     *       "tradeOrder": {
                     *         "id": 7,
                     *         "orderId": 4711,
                     *         "portfolioId": "P1",
                     *         "orderType": "BUY",
                     *         "securityId": "S1",
                     *         "quantity": 100.5,
                     *         "quantitySent": 100.5,
                     *         "limitPrice": 189.12345678,
                     *         "tradeTimestamp": "2026-01-30T15:30:00Z",
                     *         "blotter": {
                     *           "id": 1,
                     *           "abbreviation": "EQ",
                     *           "name": "Equity",
                     *           "version": 1
                     *         },
                     *         "submitted": true,
                     *         "version": 2
                     *       },
                     *       "destination": {
                     *         "id": 1,
                     *         "abbreviation": "ML",
                     *         "description": "Merrill Lynch",
                     *         "version": 1
                     *       },
                     *       "quantityOrdered": "100.50",
                     *       "quantityPlaced": "100.50",
                     *       "quantityFilled": "0.00",
                     *       "limitPrice": "189.12345678",
                     *       "executionServiceId": 815,
                     *       "version": 2
                     *     }
                     */
                    "application/json": components["schemas"]["ExecutionAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    putV1ExecutionsById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the execution. */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "executionStatusId": 1,
                 *       "tradeOrderId": 7,
                 *       "destinationId": 1,
                 *       "quantityOrdered": 100.5,
                 *       "quantityPlaced": null,
                 *       "quantityFilled": null,
                 *       "limitPrice": 189.12345678,
                 *       "blotterId": null,
                 *       "tradeTypeId": null,
                 *       "executionServiceId": null,
                 *       "executionTimestamp": null,
                 *       "version": 1,
                 *       "id": 9
                 *     }
                 */
                "application/json": components["schemas"]["ExecutionPut"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 9,
                     *       "executionTimestamp": "2026-01-30T15:30:00Z",
                     *       "executionStatus": {
                     *         "id": 2,
                     *         "abbreviation": "SENT",
                     *         "description": "Sent",
                     *         "version": 1
                     *       },
                     *       "blotter": {
                     *         "id": 1,
                     *         "abbreviation": "EQ",
                     *         "name": "Equity",
                     *         "version": 1
                     *       },
                     *       "tradeType": {
                     *         "id": 1,
                     *         "abbreviation": "BUY",
                     *         "description": "Buy",
                     *         "version": 1
                     *       },
                     *       "tradeOrder": {
                     *         "id": 7,
                     *         "orderId": 4711,
                     *         "portfolioId": "P1",
                     *         "orderType": "BUY",
                     *         "securityId": "S1",
                     *         "quantity": 100.5,
                     *         "quantitySent": 100.5,
                     *         "limitPrice": 189.12345678,
                     *         "tradeTimestamp": "2026-01-30T15:30:00Z",
                     *         "blotter": {
                     *           "id": 1,
                     *           "abbreviation": "EQ",
                     *           "name": "Equity",
                     *           "version": 1
                     *         },
                     *         "submitted": true,
                     *         "version": 2
                     *       },
                     *       "destination": {
                     *         "id": 1,
                     *         "abbreviation": "ML",
                     *         "description": "Merrill Lynch",
                     *         "version": 1
                     *       },
                     *       "quantityOrdered": "100.50",
                     *       "quantityPlaced": "100.50",
                     *       "quantityFilled": "0.00",
                     *       "limitPrice": "189.12345678",
                     *       "executionServiceId": 815,
                     *       "version": 2
                     *     }
                     */
                    "application/json": components["schemas"]["ExecutionAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    deleteV1ExecutionsById: {
        parameters: {
            query: {
                /** @description The version that was read: another one is refused with 409. */
                version: number;
            };
            header?: never;
            path: {
                /** @description The id of the execution. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No content. */
            204: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    putV1ExecutionsByIdFill: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the execution. */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "executionStatus": "PART",
                 *       "quantityFilled": 50,
                 *       "version": 2
                 *     }
                 */
                "application/json": components["schemas"]["FillPut"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 9,
                     *       "executionTimestamp": "2026-01-30T15:30:00Z",
                     *       "executionStatus": {
                     *         "id": 2,
                     *         "abbreviation": "SENT",
                     *         "description": "Sent",
                     *         "version": 1
                     *       },
                     *       "blotter": {
                     *         "id": 1,
                     *         "abbreviation": "EQ",
                     *         "name": "Equity",
                     *         "version": 1
                     *       },
                     *       "tradeType": {
                     *         "id": 1,
                     *         "abbreviation": "BUY",
                     *         "description": "Buy",
                     *         "version": 1
                     *       },
                     *       "tradeOrder": {
                     *         "id": 7,
                     *         "orderId": 4711,
                     *         "portfolioId": "P1",
                     *         "orderType": "BUY",
                     *         "securityId": "S1",
                     *         "quantity": 100.5,
                     *         "quantitySent": 100.5,
                     *         "limitPrice": 189.12345678,
                     *         "tradeTimestamp": "2026-01-30T15:30:00Z",
                     *         "blotter": {
                     *           "id": 1,
                     *           "abbreviation": "EQ",
                     *           "name": "Equity",
                     *           "version": 1
                     *         },
                     *         "submitted": true,
                     *         "version": 2
                     *       },
                     *       "destination": {
                     *         "id": 1,
                     *         "abbreviation": "ML",
                     *         "description": "Merrill Lynch",
                     *         "version": 1
                     *       },
                     *       "quantityOrdered": "100.50",
                     *       "quantityPlaced": "100.50",
                     *       "quantityFilled": "0.00",
                     *       "limitPrice": "189.12345678",
                     *       "executionServiceId": 815,
                     *       "version": 2
                     *     }
                     */
                    "application/json": components["schemas"]["ExecutionAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV1ExecutionStatuses: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ExecutionStatus"][];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV1ExecutionStatuses: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat with the same key creates and sends nothing again; it gets the first request's answer. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "abbreviation": "ML",
                 *       "description": "Merrill Lynch"
                 *     }
                 */
                "application/json": components["schemas"]["DescribedPost"];
            };
        };
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "abbreviation": "NEW",
                     *       "description": "New",
                     *       "version": 1
                     *     }
                     */
                    "application/json": components["schemas"]["ExecutionStatus"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            422: components["responses"]["Error422"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV1ExecutionStatusesById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the reference. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "abbreviation": "NEW",
                     *       "description": "New",
                     *       "version": 1
                     *     }
                     */
                    "application/json": components["schemas"]["ExecutionStatus"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    putV1ExecutionStatusesById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the reference. */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "abbreviation": "ML",
                 *       "description": "Merrill",
                 *       "version": 1,
                 *       "id": 1
                 *     }
                 */
                "application/json": components["schemas"]["DescribedPut"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "abbreviation": "NEW",
                     *       "description": "New",
                     *       "version": 1
                     *     }
                     */
                    "application/json": components["schemas"]["ExecutionStatus"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    deleteV1ExecutionStatusesById: {
        parameters: {
            query: {
                /** @description The version that was read: another one is refused with 409. */
                version: number;
            };
            header?: never;
            path: {
                /** @description The id of the reference. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No content. */
            204: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV1HealthLiveness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
            500: components["responses"]["Error500"];
        };
    };
    getV1HealthReadiness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
            500: components["responses"]["Error500"];
            /** @description The database or the Execution Service is unavailable, or the service is overloaded. Or `TOO_SLOW`. */
            503: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
        };
    };
    getV1HealthStartup: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
            500: components["responses"]["Error500"];
        };
    };
    getV1TradeOrders: {
        parameters: {
            query?: {
                /** @description Rows of the page; 1000 when left out. */
                limit?: number;
                /** @description Rows left out before the page, exactly. */
                offset?: number;
                /** @description Only the order of this orderId. */
                order_id?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    "X-Total-Count": components["headers"]["X-Total-Count"];
                    "X-Total-Is-Estimate": components["headers"]["X-Total-Is-Estimate"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TradeOrderAnswer"][];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV1TradeOrders: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat with the same key creates and sends nothing again; it gets the first request's answer. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "orderId": 4711,
                 *       "portfolioId": "P1",
                 *       "orderType": "BUY",
                 *       "securityId": "S1",
                 *       "quantity": 100.5,
                 *       "limitPrice": 189.12345678,
                 *       "tradeTimestamp": "2026-01-30T15:30:00Z",
                 *       "blotterId": 1
                 *     }
                 */
                "application/json": components["schemas"]["TradeOrderPost"];
            };
        };
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 7,
                     *       "orderId": 4711,
                     *       "portfolioId": "P1",
                     *       "orderType": "BUY",
                     *       "securityId": "S1",
                     *       "quantity": 100.5,
                     *       "quantitySent": 100.5,
                     *       "limitPrice": 189.12345678,
                     *       "tradeTimestamp": "2026-01-30T15:30:00Z",
                     *       "blotter": {
                     *         "id": 1,
                     *         "abbreviation": "EQ",
                     *         "name": "Equity",
                     *         "version": 1
                     *       },
                     *       "submitted": true,
                     *       "version": 2
                     *     }
                     */
                    "application/json": components["schemas"]["TradeOrderAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            422: components["responses"]["Error422"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV1TradeOrdersById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the trade order. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 7,
                     *       "orderId": 4711,
                     *       "portfolioId": "P1",
                     *       "orderType": "BUY",
                     *       "securityId": "S1",
                     *       "quantity": 100.5,
                     *       "quantitySent": 100.5,
                     *       "limitPrice": 189.12345678,
                     *       "tradeTimestamp": "2026-01-30T15:30:00Z",
                     *       "blotter": {
                     *         "id": 1,
                     *         "abbreviation": "EQ",
                     *         "name": "Equity",
                     *         "version": 1
                     *       },
                     *       "submitted": true,
                     *       "version": 2
                     *     }
                     */
                    "application/json": components["schemas"]["TradeOrderAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    putV1TradeOrdersById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the trade order. */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "orderId": 4711,
                 *       "portfolioId": "P1",
                 *       "orderType": "BUY",
                 *       "securityId": "S1",
                 *       "quantity": 100.5,
                 *       "limitPrice": 189.12345678,
                 *       "tradeTimestamp": "2026-01-30T15:30:00Z",
                 *       "blotterId": 1,
                 *       "version": 1,
                 *       "id": 7
                 *     }
                 */
                "application/json": components["schemas"]["TradeOrderPut"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 7,
                     *       "orderId": 4711,
                     *       "portfolioId": "P1",
                     *       "orderType": "BUY",
                     *       "securityId": "S1",
                     *       "quantity": 100.5,
                     *       "quantitySent": 100.5,
                     *       "limitPrice": 189.12345678,
                     *       "tradeTimestamp": "2026-01-30T15:30:00Z",
                     *       "blotter": {
                     *         "id": 1,
                     *         "abbreviation": "EQ",
                     *         "name": "Equity",
                     *         "version": 1
                     *       },
                     *       "submitted": true,
                     *       "version": 2
                     *     }
                     */
                    "application/json": components["schemas"]["TradeOrderAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    deleteV1TradeOrdersById: {
        parameters: {
            query: {
                /** @description The version that was read: another one is refused with 409. */
                version: number;
            };
            header?: never;
            path: {
                /** @description The id of the trade order. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No content. */
            204: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV1TradeOrdersByIdSubmit: {
        parameters: {
            query?: {
                /** @description The execution is only written, not sent. */
                noExecuteSubmit?: boolean;
            };
            header?: {
                /** @description A repeat with the same key creates and sends nothing again; it gets the first request's answer. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The id of the trade order. */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "quantity": 50,
                 *       "destinationId": 1
                 *     }
                 */
                "application/json": components["schemas"]["TradeOrderSubmit"];
            };
        };
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    "X-Submission-Message": components["headers"]["X-Submission-Message"];
                    "X-Submission-State": components["headers"]["X-Submission-State"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 9,
                     *       "executionTimestamp": "2026-01-30T15:30:00Z",
                     *       "executionStatus": {
                     *         "id": 2,
                     *         "abbreviation": "SENT",
                     *         "description": "Sent",
                     *         "version": 1
                     *       },
                     *       "blotter": {
                     *         "id": 1,
                     *         "abbreviation": "EQ",
                     *         "name": "Equity",
                     *         "version": 1
                     *       },
                     *       "tradeType": {
                     *         "id": 1,
                     *         "abbreviation": "BUY",
                     *         "description": "Buy",
                     *         "version": 1
                     *       },
                     *       "tradeOrder": {
                     *         "id": 7,
                     *         "orderId": 4711,
                     *         "portfolioId": "P1",
                     *         "orderType": "BUY",
                     *         "securityId": "S1",
                     *         "quantity": 100.5,
                     *         "quantitySent": 100.5,
                     *         "limitPrice": 189.12345678,
                     *         "tradeTimestamp": "2026-01-30T15:30:00Z",
                     *         "blotter": {
                     *           "id": 1,
                     *           "abbreviation": "EQ",
                     *           "name": "Equity",
                     *           "version": 1
                     *         },
                     *         "submitted": true,
                     *         "version": 2
                     *       },
                     *       "destination": {
                     *         "id": 1,
                     *         "abbreviation": "ML",
                     *         "description": "Merrill Lynch",
                     *         "version": 1
                     *       },
                     *       "quantityOrdered": "100.50",
                     *       "quantityPlaced": "100.50",
                     *       "quantityFilled": "0.00",
                     *       "limitPrice": "189.12345678",
                     *       "executionServiceId": 815,
                     *       "version": 2
                     *     }
                     */
                    "application/json": components["schemas"]["ExecutionAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            422: components["responses"]["Error422"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            502: components["responses"]["Error502"];
            503: components["responses"]["Error503"];
            504: components["responses"]["Error504"];
        };
    };
    postV1TradeOrdersBatchSubmit: {
        parameters: {
            query?: {
                /** @description The execution is only written, not sent. */
                noExecuteSubmit?: boolean;
            };
            header?: {
                /** @description A repeat with the same key creates and sends nothing again; it gets the first request's answer. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "submissions": [
                 *         {
                 *           "tradeOrderId": 7,
                 *           "quantity": 50,
                 *           "destinationId": 1
                 *         },
                 *         {
                 *           "tradeOrderId": 8,
                 *           "quantity": "12.5",
                 *           "destinationId": 1
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["BatchSubmit"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    "X-Submission-Message": components["headers"]["X-Submission-Message"];
                    "X-Submission-State": components["headers"]["X-Submission-State"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "status": "SUCCESS",
                     *       "message": "1 successful, 0 failed of 1",
                     *       "totalRequested": 1,
                     *       "successful": 1,
                     *       "failed": 0,
                     *       "results": [
                     *         {
                     *           "tradeOrderId": 7,
                     *           "status": "SUCCESS",
                     *           "message": "trade order submitted",
                     *           "execution": {
                     *             "id": 9,
                     *             "executionTimestamp": "2026-01-30T15:30:00Z",
                     *             "executionStatus": {
                     *               "id": 2,
                     *               "abbreviation": "SENT",
                     *               "description": "Sent",
                     *               "version": 1
                     *             },
                     *             "blotter": {
                     *               "id": 1,
                     *               "abbreviation": "EQ",
                     *               "name": "Equity",
                     *               "version": 1
                     *             },
                     *             "tradeType": {
                     *               "id": 1,
                     *               "abbreviation": "BUY",
                     *               "description": "Buy",
                     *               "version": 1
                     *             },
                     *             "tradeOrder": {
                     *               "id": 7,
                     *               "orderId": 4711,
                     *               "portfolioId": "P1",
                     *               "orderType": "BUY",
                     *               "securityId": "S1",
                     *               "quantity": 100.5,
                     *               "quantitySent": 100.5,
                     *               "limitPrice": 189.12345678,
                     *               "tradeTimestamp": "2026-01-30T15:30:00Z",
                     *               "blotter": {
                     *                 "id": 1,
                     *                 "abbreviation": "EQ",
                     *                 "name": "Equity",
                     *                 "version": 1
                     *               },
                     *               "submitted": true,
                     *               "version": 2
                     *             },
                     *             "destination": {
                     *               "id": 1,
                     *               "abbreviation": "ML",
                     *               "description": "Merrill Lynch",
                     *               "version": 1
                     *             },
                     *             "quantityOrdered": "100.50",
                     *             "quantityPlaced": "100.50",
                     *             "quantityFilled": "0.00",
                     *             "limitPrice": "189.12345678",
                     *             "executionServiceId": 815,
                     *             "version": 2
                     *           },
                     *           "requestIndex": 0
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["BatchSubmitAnswer"];
                };
            };
            /** @description Some succeeded and some failed: see each result. */
            207: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    "X-Submission-Message": components["headers"]["X-Submission-Message"];
                    "X-Submission-State": components["headers"]["X-Submission-State"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "status": "SUCCESS",
                     *       "message": "1 successful, 0 failed of 1",
                     *       "totalRequested": 1,
                     *       "successful": 1,
                     *       "failed": 0,
                     *       "results": [
                     *         {
                     *           "tradeOrderId": 7,
                     *           "status": "SUCCESS",
                     *           "message": "trade order submitted",
                     *           "execution": {
                     *             "id": 9,
                     *             "executionTimestamp": "2026-01-30T15:30:00Z",
                     *             "executionStatus": {
                     *               "id": 2,
                     *               "abbreviation": "SENT",
                     *               "description": "Sent",
                     *               "version": 1
                     *             },
                     *             "blotter": {
                     *               "id": 1,
                     *               "abbreviation": "EQ",
                     *               "name": "Equity",
                     *               "version": 1
                     *             },
                     *             "tradeType": {
                     *               "id": 1,
                     *               "abbreviation": "BUY",
                     *               "description": "Buy",
                     *               "version": 1
                     *             },
                     *             "tradeOrder": {
                     *               "id": 7,
                     *               "orderId": 4711,
                     *               "portfolioId": "P1",
                     *               "orderType": "BUY",
                     *               "securityId": "S1",
                     *               "quantity": 100.5,
                     *               "quantitySent": 100.5,
                     *               "limitPrice": 189.12345678,
                     *               "tradeTimestamp": "2026-01-30T15:30:00Z",
                     *               "blotter": {
                     *                 "id": 1,
                     *                 "abbreviation": "EQ",
                     *                 "name": "Equity",
                     *                 "version": 1
                     *               },
                     *               "submitted": true,
                     *               "version": 2
                     *             },
                     *             "destination": {
                     *               "id": 1,
                     *               "abbreviation": "ML",
                     *               "description": "Merrill Lynch",
                     *               "version": 1
                     *             },
                     *             "quantityOrdered": "100.50",
                     *             "quantityPlaced": "100.50",
                     *             "quantityFilled": "0.00",
                     *             "limitPrice": "189.12345678",
                     *             "executionServiceId": 815,
                     *             "version": 2
                     *           },
                     *           "requestIndex": 0
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["BatchSubmitAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            422: components["responses"]["Error422"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV1TradeOrdersBulk: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat with the same key creates and sends nothing again; it gets the first request's answer. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "tradeOrders": [
                 *         {
                 *           "orderId": 4711,
                 *           "portfolioId": "P1",
                 *           "orderType": "BUY",
                 *           "securityId": "S1",
                 *           "quantity": 100.5,
                 *           "limitPrice": 189.12345678,
                 *           "tradeTimestamp": "2026-01-30T15:30:00Z",
                 *           "blotterId": 1
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["TradeOrderBulkPost"];
            };
        };
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "status": "SUCCESS",
                     *       "message": "1 of 1 trade orders created",
                     *       "totalRequested": 1,
                     *       "successful": 1,
                     *       "failed": 0,
                     *       "results": [
                     *         {
                     *           "requestIndex": 0,
                     *           "status": "SUCCESS",
                     *           "message": "trade order created",
                     *           "tradeOrder": {
                     *             "id": 7,
                     *             "orderId": 4711,
                     *             "portfolioId": "P1",
                     *             "orderType": "BUY",
                     *             "securityId": "S1",
                     *             "quantity": 100.5,
                     *             "quantitySent": 100.5,
                     *             "limitPrice": 189.12345678,
                     *             "tradeTimestamp": "2026-01-30T15:30:00Z",
                     *             "blotter": {
                     *               "id": 1,
                     *               "abbreviation": "EQ",
                     *               "name": "Equity",
                     *               "version": 1
                     *             },
                     *             "submitted": true,
                     *             "version": 2
                     *           }
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["BulkAnswer"];
                };
            };
            /** @description The request breaks a rule; the message names field, value and rule. */
            400: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Bad Request",
                     *       "detail": "quantity: must be greater than zero; got '-5'",
                     *       "error": "quantity: must be greater than zero; got '-5'",
                     *       "message": "quantity: must be greater than zero; got '-5'",
                     *       "details": {
                     *         "field": "quantity",
                     *         "rule": "must be greater than zero",
                     *         "value": "-5"
                     *       },
                     *       "code": "INVALID_INPUT",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 400
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The key or token is missing or unknown. */
            401: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Unauthorized",
                     *       "detail": "give a key or token: Authorization: Bearer, or X-API-Key",
                     *       "error": "give a key or token: Authorization: Bearer, or X-API-Key",
                     *       "message": "give a key or token: Authorization: Bearer, or X-API-Key",
                     *       "details": {},
                     *       "code": "NOT_AUTHENTICATED",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 401
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The caller lacks the required role. */
            403: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Forbidden",
                     *       "detail": "this needs the role trader; desk has reader",
                     *       "error": "this needs the role trader; desk has reader",
                     *       "message": "this needs the role trader; desk has reader",
                     *       "details": {},
                     *       "code": "NOT_PERMITTED",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 403
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description Not found: the resource itself, or one that the body refers to. */
            404: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Not Found",
                     *       "detail": "trade order 7 does not exist",
                     *       "error": "trade order 7 does not exist",
                     *       "message": "trade order 7 does not exist",
                     *       "details": {
                     *         "id": 7,
                     *         "thing": "trade order"
                     *       },
                     *       "code": "NOT_FOUND",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 404
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body did not arrive in time. */
            408: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Request Timeout",
                     *       "detail": "the body did not arrive within 30 s",
                     *       "error": "the body did not arrive within 30 s",
                     *       "message": "the body did not arrive within 30 s",
                     *       "details": {},
                     *       "code": "BODY_TOO_SLOW",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 408
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description Conflict: another version, a name that is taken, or an execution in flight. */
            409: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Conflict",
                     *       "detail": "trade order 7 has version 3, not 2: read it again and repeat the change",
                     *       "error": "trade order 7 has version 3, not 2: read it again and repeat the change",
                     *       "message": "trade order 7 has version 3, not 2: read it again and repeat the change",
                     *       "details": {
                     *         "current": 3,
                     *         "given": 2,
                     *         "id": 7,
                     *         "thing": "trade order"
                     *       },
                     *       "code": "VERSION_CONFLICT",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 409
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body or the list is too large. */
            413: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Request Entity Too Large",
                     *       "detail": "submissions: must be at most 100; got 101, nothing was submitted",
                     *       "error": "submissions: must be at most 100; got 101, nothing was submitted",
                     *       "message": "submissions: must be at most 100; got 101, nothing was submitted",
                     *       "details": {},
                     *       "code": "TOO_MANY",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 413
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is not plain JSON. */
            415: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Unsupported Media Type",
                     *       "detail": "Content-Type: must be application/json; got 'text/plain'",
                     *       "error": "Content-Type: must be application/json; got 'text/plain'",
                     *       "message": "Content-Type: must be application/json; got 'text/plain'",
                     *       "details": {
                     *         "field": "Content-Type",
                     *         "rule": "must be application/json",
                     *         "value": "text/plain"
                     *       },
                     *       "code": "UNSUPPORTED_MEDIA_TYPE",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 415
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The request names a host that is not allowed: see `server.allowed_hosts`. */
            421: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Misdirected Request",
                     *       "detail": "Host: must name this machine or be one of server.allowed_hosts; got 'trade.example'",
                     *       "error": "Host: must name this machine or be one of server.allowed_hosts; got 'trade.example'",
                     *       "message": "Host: must name this machine or be one of server.allowed_hosts; got 'trade.example'",
                     *       "details": {
                     *         "field": "Host",
                     *         "rule": "must name this machine or be one of server.allowed_hosts",
                     *         "value": "trade.example"
                     *       },
                     *       "code": "HOST_NOT_ALLOWED",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 421
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The Idempotency-Key was used with another path, query or body. */
            422: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Unprocessable Entity",
                     *       "detail": "Idempotency-Key: must be new for a new request; got 'k-1'",
                     *       "error": "Idempotency-Key: must be new for a new request; got 'k-1'",
                     *       "message": "Idempotency-Key: must be new for a new request; got 'k-1'",
                     *       "details": {
                     *         "field": "Idempotency-Key",
                     *         "rule": "must be new for a new request",
                     *         "value": "k-1"
                     *       },
                     *       "code": "IDEMPOTENCY_KEY_REUSED",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 422
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description Too many requests of this client: Retry-After says when to continue. */
            429: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Too Many Requests",
                     *       "detail": "more than 50 requests a second",
                     *       "error": "more than 50 requests a second",
                     *       "message": "more than 50 requests a second",
                     *       "details": {},
                     *       "code": "TOO_MANY_REQUESTS",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 429
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description A defect, or wrong configuration: see the service log for this request id. */
            500: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Internal Server Error",
                     *       "detail": "unexpected internal error; see the service log for this request id",
                     *       "error": "unexpected internal error; see the service log for this request id",
                     *       "message": "unexpected internal error; see the service log for this request id",
                     *       "details": {},
                     *       "code": "INTERNAL_ERROR",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 500
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The database or the Execution Service is unavailable, or the service is overloaded. Or `TOO_SLOW`. */
            503: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Service Unavailable",
                     *       "detail": "the database is away: nothing is lost, try again",
                     *       "error": "the database is away: nothing is lost, try again",
                     *       "message": "the database is away: nothing is lost, try again",
                     *       "details": {},
                     *       "code": "STORE_UNAVAILABLE",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 503
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
        };
    };
    getV1TradeTypeById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the reference. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "abbreviation": "BUY",
                     *       "description": "Buy",
                     *       "version": 1
                     *     }
                     */
                    "application/json": components["schemas"]["TradeType"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    putV1TradeTypeById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the reference. */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "abbreviation": "ML",
                 *       "description": "Merrill",
                 *       "version": 1,
                 *       "id": 1
                 *     }
                 */
                "application/json": components["schemas"]["DescribedPut"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "abbreviation": "BUY",
                     *       "description": "Buy",
                     *       "version": 1
                     *     }
                     */
                    "application/json": components["schemas"]["TradeType"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    deleteV1TradeTypeById: {
        parameters: {
            query: {
                /** @description The version that was read: another one is refused with 409. */
                version: number;
            };
            header?: never;
            path: {
                /** @description The id of the reference. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No content. */
            204: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV1TradeTypes: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TradeType"][];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV1TradeTypes: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat with the same key creates and sends nothing again; it gets the first request's answer. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "abbreviation": "ML",
                 *       "description": "Merrill Lynch"
                 *     }
                 */
                "application/json": components["schemas"]["DescribedPost"];
            };
        };
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "abbreviation": "BUY",
                     *       "description": "Buy",
                     *       "version": 1
                     *     }
                     */
                    "application/json": components["schemas"]["TradeType"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            422: components["responses"]["Error422"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV1TradeTypesById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the reference. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "abbreviation": "BUY",
                     *       "description": "Buy",
                     *       "version": 1
                     *     }
                     */
                    "application/json": components["schemas"]["TradeType"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    putV1TradeTypesById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the reference. */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "abbreviation": "ML",
                 *       "description": "Merrill",
                 *       "version": 1,
                 *       "id": 1
                 *     }
                 */
                "application/json": components["schemas"]["DescribedPut"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "abbreviation": "BUY",
                     *       "description": "Buy",
                     *       "version": 1
                     *     }
                     */
                    "application/json": components["schemas"]["TradeType"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    deleteV1TradeTypesById: {
        parameters: {
            query: {
                /** @description The version that was read: another one is refused with 409. */
                version: number;
            };
            header?: never;
            path: {
                /** @description The id of the reference. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No content. */
            204: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2Auditlog: {
        parameters: {
            query?: {
                /** @description Only entries of this action. */
                action?: "create" | "update" | "delete" | "submit" | "fill" | "resolve" | "requeue" | "pause" | "resume" | "recover" | "archive" | "rotate" | "revoke";
                /** @description Only entries of this name. */
                actor?: string;
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Only entries at this time or later. */
                from?: string;
                /** @description Entries of a page; 50 when left out. */
                limit?: number;
                /** @description Only entries about objects of this kind. */
                object?: "tradeOrder" | "execution" | "blotter" | "tradeType" | "destination" | "executionStatus" | "apiKey" | "logger" | "sending" | "archiveFile" | "audit";
                /** @description Only entries about the object of this id; of a trade order also those about its executions. */
                objectId?: number;
                /** @description Only entries before this time. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "entries": [
                     *         {
                     *           "at": "2026-01-30T15:30:00.123456Z",
                     *           "id": 42,
                     *           "actor": "desk",
                     *           "knownBy": "api-key",
                     *           "address": "10.0.0.7",
                     *           "requestId": "4bf92f3577b34da6",
                     *           "action": "submit",
                     *           "object": "execution",
                     *           "objectIds": [
                     *             9,
                     *             10
                     *           ],
                     *           "objectCount": 2,
                     *           "tradeOrderIds": [
                     *             7,
                     *             8
                     *           ],
                     *           "objectName": null,
                     *           "details": null
                     *         }
                     *       ],
                     *       "nextCursor": "1769787000123456-42"
                     *     }
                     */
                    "application/json": components["schemas"]["AuditLogAnswer"];
                    "application/x-ndjson": string;
                    "text/csv": string;
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2Audits: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Audits of a page; 20 when left out. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditsAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV2Audits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AuditPost"];
            };
        };
        responses: {
            /** @description Accepted: Location has the address of the progress. */
            202: {
                headers: {
                    Location: components["headers"]["Location"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditRunAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2AuditsById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id in the response that began it. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2BlottersByIdRejects: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id in the response that began it. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "text/csv": string;
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2BlottersByIdResults: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id in the response that began it. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "text/csv": string;
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV2BlottersCheck: {
        parameters: {
            query?: {
                /** @description What dates such as 03/04/2026 begin with. */
                dates?: "day" | "month";
                /** @description The decimal sign of all numbers. */
                decimal?: "point" | "comma";
                /** @description The encoding, such as cp1252, where it is not UTF-8 or UTF-16. */
                encoding?: string;
                /** @description The name of the file, shown in answers. */
                filename?: string;
                /** @description COLUMN=FIELD: reads a field from this column; without a field, ignores the column. May be repeated. */
                map?: string[];
                /** @description FIELD=VALUE: one value for all rows. May be repeated. */
                set?: string[];
                /** @description The sheet of a workbook that has several. */
                sheet?: string;
                /** @description The zone of times without an offset, such as Europe/Berlin. */
                timeZone?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": string;
                "application/vnd.apache.parquet": string;
                "application/vnd.oasis.opendocument.spreadsheet": string;
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": string;
                "application/x-ndjson": string;
                "text/csv": string;
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BlotterCheckAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            408: components["responses"]["Error408"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV2BlottersSubmit: {
        parameters: {
            query?: {
                /** @description That of a check: another file, or one read otherwise, is refused with 409. */
                checksum?: string;
                /** @description What dates such as 03/04/2026 begin with. */
                dates?: "day" | "month";
                /** @description The decimal sign of all numbers. */
                decimal?: "point" | "comma";
                /** @description The encoding, such as cp1252, where it is not UTF-8 or UTF-16. */
                encoding?: string;
                /** @description The name of the file, shown in answers. */
                filename?: string;
                /** @description COLUMN=FIELD: reads a field from this column; without a field, ignores the column. May be repeated. */
                map?: string[];
                /** @description FIELD=VALUE: one value for all rows. May be repeated. */
                set?: string[];
                /** @description The sheet of a workbook that has several. */
                sheet?: string;
                /** @description Creates and sends nothing if one row is refused. */
                strict?: boolean;
                /** @description The zone of times without an offset, such as Europe/Berlin. */
                timeZone?: string;
            };
            header?: {
                /** @description A repeat with the same key creates and sends nothing again; it gets the first request's answer. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": string;
                "application/vnd.apache.parquet": string;
                "application/vnd.oasis.opendocument.spreadsheet": string;
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": string;
                "application/x-ndjson": string;
                "text/csv": string;
            };
        };
        responses: {
            /** @description Accepted: Location has the address of the progress. */
            202: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    Location: components["headers"]["Location"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BlotterSubmitAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            422: components["responses"]["Error422"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2Evidence: {
        parameters: {
            query?: {
                /** @description Only evidence of this code. */
                code?: "RESOLVED" | "REQUEUED" | "RECOVERED" | "ACCEPTED_LATE" | "FILL_FETCHED" | "FILL_REFUSED";
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Only evidence about this execution. */
                executionId?: number;
                /** @description Only evidence found at this time or later. */
                from?: string;
                /** @description Rows of a page; 50 when left out. */
                limit?: number;
                /** @description Only evidence found before this time. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EvidenceAnswer"];
                    "application/x-ndjson": string;
                    "text/csv": string;
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2Executions: {
        parameters: {
            query?: {
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled blotterAbbreviation, blotterAbbreviations, blotter, blotters, blotter_abbreviation. */
                "blotter.abbreviation"?: string;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled codes. */
                code?: string;
                /** @description The `nextCursor` of the page before, in place of offset: equally fast however deep. */
                cursor?: string;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled destinationAbbreviation, destinationAbbreviations, destination, destinations, destination_abbreviation. */
                "destination.abbreviation"?: string;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled executionServiceIds, execution_service_id. */
                executionServiceId?: string;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled executionStatusAbbreviation, executionStatusAbbreviations, executionStatus, executionStatuses, status, statuses, statusAbbreviation, statusAbbreviations, execution_status_abbreviation. */
                "executionStatus.abbreviation"?: string;
                /** @description At least this. Also spelled executionTimestamp.from, executionTimestampFrom. */
                from?: string;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled ids. */
                id?: string;
                /** @description At most this. Also spelled maxId, idMax, id_max. */
                "id.max"?: string;
                /** @description At least this. Also spelled minId, idMin, id_min. */
                "id.min"?: string;
                /** @description Rows of a page; 50 when left out. */
                limit?: number;
                /** @description Rows left out before the page; any number, not only whole pages. */
                offset?: number;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled orderIds, order_id. */
                orderId?: string;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled portfolioName, portfolioNames, portfolio_name. */
                "portfolio.name"?: string;
                /** @description At most this. Also spelled maxQuantityFilled, quantityFilledMax, quantityFilled_max. */
                "quantityFilled.max"?: string;
                /** @description At least this. Also spelled minQuantityFilled, quantityFilledMin, quantityFilled_min. */
                "quantityFilled.min"?: string;
                /** @description At most this. Also spelled maxQuantityOrdered, quantityOrderedMax, quantityOrdered_max. */
                "quantityOrdered.max"?: string;
                /** @description At least this. Also spelled minQuantityOrdered, quantityOrderedMin, quantityOrdered_min. */
                "quantityOrdered.min"?: string;
                /** @description At most this. Also spelled maxQuantityPlaced, quantityPlacedMax, quantityPlaced_max. */
                "quantityPlaced.max"?: string;
                /** @description At least this. Also spelled minQuantityPlaced, quantityPlacedMin, quantityPlaced_min. */
                "quantityPlaced.min"?: string;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled securityTicker, securityTickers, security, securities, ticker, tickers, security_ticker. */
                "security.ticker"?: string;
                /** @description Comma list of id, executionTimestamp, quantityOrdered, quantityPlaced, quantityFilled, tradeOrderId, executionStatus.abbreviation, blotter.abbreviation, tradeType.abbreviation, destination.abbreviation, security.ticker, portfolio.name; - in front for descending. Rows that are equal come by id. */
                sort?: string;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled submissionStates, submission_state. */
                submissionState?: string;
                /** @description Before this. Also spelled executionTimestamp.to, executionTimestampTo. */
                to?: string;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled tradeOrderIds, trade_order_id. */
                tradeOrderId?: string;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled tradeTypeAbbreviation, tradeTypeAbbreviations, tradeType, tradeTypes, trade_type_abbreviation. */
                "tradeType.abbreviation"?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Ignored-Parameters": components["headers"]["X-Ignored-Parameters"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "executions": [
                     *         {
                     *           "id": 9,
                     *           "executionTimestamp": "2026-01-30T15:30:00Z",
                     *           "executionStatus": {
                     *             "id": 2,
                     *             "abbreviation": "SENT",
                     *             "description": "Sent",
                     *             "version": 1
                     *           },
                     *           "blotter": {
                     *             "id": 1,
                     *             "abbreviation": "EQ",
                     *             "name": "Equity",
                     *             "version": 1
                     *           },
                     *           "tradeType": {
                     *             "id": 1,
                     *             "abbreviation": "BUY",
                     *             "description": "Buy",
                     *             "version": 1
                     *           },
                     *           "tradeOrder": {
                     *             "id": 7,
                     *             "orderId": 4711,
                     *             "portfolio": {
                     *               "portfolioId": "P1",
                     *               "name": "Growth"
                     *             },
                     *             "security": {
                     *               "securityId": "S1",
                     *               "ticker": "IBM"
                     *             }
                     *           },
                     *           "destination": {
                     *             "id": 1,
                     *             "abbreviation": "ML",
                     *             "description": "Merrill Lynch",
                     *             "version": 1
                     *           },
                     *           "quantityOrdered": 100.5,
                     *           "quantityPlaced": 100.5,
                     *           "quantityFilled": 0,
                     *           "limitPrice": 189.12345678,
                     *           "executionServiceId": 815,
                     *           "version": 2,
                     *           "submissionState": "accepted",
                     *           "code": null
                     *         }
                     *       ],
                     *       "pagination": {
                     *         "totalElements": 1,
                     *         "totalIsEstimate": false,
                     *         "totalPages": 1,
                     *         "currentPage": 0,
                     *         "pageSize": 50,
                     *         "hasNext": false,
                     *         "hasPrevious": false,
                     *         "nextCursor": null
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["ExecutionPage"];
                    "application/x-ndjson": string;
                    "text/csv": string;
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV2Executions: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat with the same key creates and sends nothing again; it gets the first request's answer. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "executionStatusId": 1,
                 *       "tradeOrderId": 7,
                 *       "destinationId": 1,
                 *       "quantityOrdered": 100.5,
                 *       "quantityPlaced": null,
                 *       "quantityFilled": null,
                 *       "limitPrice": 189.12345678,
                 *       "blotterId": null,
                 *       "tradeTypeId": null,
                 *       "executionServiceId": null,
                 *       "executionTimestamp": null
                 *     }
                 */
                "application/json": components["schemas"]["ExecutionPost"];
            };
        };
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 9,
                     *       "executionTimestamp": "2026-01-30T15:30:00Z",
                     *       "executionStatus": {
                     *         "id": 2,
                     *         "abbreviation": "SENT",
                     *         "description": "Sent",
                     *         "version": 1
                     *       },
                     *       "blotter": {
                     *         "id": 1,
                     *         "abbreviation": "EQ",
                     *         "name": "Equity",
                     *         "version": 1
                     *       },
                     *       "tradeType": {
                     *         "id": 1,
                     *         "abbreviation": "BUY",
                     *         "description": "Buy",
                     *         "version": 1
                     *       },
                     *       "tradeOrder": {
                     *         "id": 7,
                     *         "orderId": 4711,
                     *         "portfolio": {
                     *           "portfolioId": "P1",
                     *           "name": "Growth"
                     *         },
                     *         "security": {
                     *           "securityId": "S1",
                     *           "ticker": "IBM"
                     *         }
                     *       },
                     *       "destination": {
                     *         "id": 1,
                     *         "abbreviation": "ML",
                     *         "description": "Merrill Lynch",
                     *         "version": 1
                     *       },
                     *       "quantityOrdered": 100.5,
                     *       "quantityPlaced": 100.5,
                     *       "quantityFilled": 0,
                     *       "limitPrice": 189.12345678,
                     *       "executionServiceId": 815,
                     *       "version": 2,
                     *       "submissionState": "accepted",
                     *       "code": null
                     *     }
                     */
                    "application/json": components["schemas"]["ExecutionV2"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            422: components["responses"]["Error422"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2ExecutionsById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the execution. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 9,
                     *       "executionTimestamp": "2026-01-30T15:30:00Z",
                     *       "executionStatus": {
                     *         "id": 2,
                     *         "abbreviation": "SENT",
                     *         "description": "Sent",
                     *         "version": 1
                     *       },
                     *       "blotter": {
                     *         "id": 1,
                     *         "abbreviation": "EQ",
                     *         "name": "Equity",
                     *         "version": 1
                     *       },
                     *       "tradeType": {
                     *         "id": 1,
                     *         "abbreviation": "BUY",
                     *         "description": "Buy",
                     *         "version": 1
                     *       },
                     *       "tradeOrder": {
                     *         "id": 7,
                     *         "orderId": 4711,
                     *         "portfolio": {
                     *           "portfolioId": "P1",
                     *           "name": "Growth"
                     *         },
                     *         "security": {
                     *           "securityId": "S1",
                     *           "ticker": "IBM"
                     *         }
                     *       },
                     *       "destination": {
                     *         "id": 1,
                     *         "abbreviation": "ML",
                     *         "description": "Merrill Lynch",
                     *         "version": 1
                     *       },
                     *       "quantityOrdered": 100.5,
                     *       "quantityPlaced": 100.5,
                     *       "quantityFilled": 0,
                     *       "limitPrice": 189.12345678,
                     *       "executionServiceId": 815,
                     *       "version": 2,
                     *       "submissionState": "accepted",
                     *       "code": null
                     *     }
                     */
                    "application/json": components["schemas"]["ExecutionV2"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    putV2ExecutionsById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the execution. */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "executionStatusId": 1,
                 *       "tradeOrderId": 7,
                 *       "destinationId": 1,
                 *       "quantityOrdered": 100.5,
                 *       "quantityPlaced": null,
                 *       "quantityFilled": null,
                 *       "limitPrice": 189.12345678,
                 *       "blotterId": null,
                 *       "tradeTypeId": null,
                 *       "executionServiceId": null,
                 *       "executionTimestamp": null,
                 *       "version": 1,
                 *       "id": 9
                 *     }
                 */
                "application/json": components["schemas"]["ExecutionPut"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 9,
                     *       "executionTimestamp": "2026-01-30T15:30:00Z",
                     *       "executionStatus": {
                     *         "id": 2,
                     *         "abbreviation": "SENT",
                     *         "description": "Sent",
                     *         "version": 1
                     *       },
                     *       "blotter": {
                     *         "id": 1,
                     *         "abbreviation": "EQ",
                     *         "name": "Equity",
                     *         "version": 1
                     *       },
                     *       "tradeType": {
                     *         "id": 1,
                     *         "abbreviation": "BUY",
                     *         "description": "Buy",
                     *         "version": 1
                     *       },
                     *       "tradeOrder": {
                     *         "id": 7,
                     *         "orderId": 4711,
                     *         "portfolio": {
                     *           "portfolioId": "P1",
                     *           "name": "Growth"
                     *         },
                     *         "security": {
                     *           "securityId": "S1",
                     *           "ticker": "IBM"
                     *         }
                     *       },
                     *       "destination": {
                     *         "id": 1,
                     *         "abbreviation": "ML",
                     *         "description": "Merrill Lynch",
                     *         "version": 1
                     *       },
                     *       "quantityOrdered": 100.5,
                     *       "quantityPlaced": 100.5,
                     *       "quantityFilled": 0,
                     *       "limitPrice": 189.12345678,
                     *       "executionServiceId": 815,
                     *       "version": 2,
                     *       "submissionState": "accepted",
                     *       "code": null
                     *     }
                     */
                    "application/json": components["schemas"]["ExecutionV2"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    deleteV2ExecutionsById: {
        parameters: {
            query: {
                /** @description The version that was read: another one is refused with 409. */
                version: number;
            };
            header?: never;
            path: {
                /** @description The id of the execution. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No content. */
            204: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2ExecutionsByIdAttempts: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the execution. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AttemptsAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV2ExecutionsByIdResolve: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the execution. */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "outcome": "NOT_ACCEPTED",
                 *       "reason": "absent from the books of today",
                 *       "executionServiceId": null,
                 *       "operator": "desk",
                 *       "force": false,
                 *       "dryRun": false
                 *     }
                 */
                "application/json": components["schemas"]["ResolvePost"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResolveAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV2ExecutionsRequeue: {
        parameters: {
            query?: never;
            header?: {
                /** @description `respond-async` for 202 at once. */
                Prefer?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "reason": "the destination is open again",
                 *       "executionIds": [
                 *         9,
                 *         10
                 *       ],
                 *       "filter": null,
                 *       "operator": "desk",
                 *       "dryRun": false
                 *     }
                 */
                "application/json": components["schemas"]["RequeuePost"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    Location: components["headers"]["Location"];
                    "Preference-Applied": components["headers"]["Preference-Applied"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RequeueAnswer"];
                };
            };
            /** @description Accepted: Location has the address of the progress. */
            202: {
                headers: {
                    Location: components["headers"]["Location"];
                    "Preference-Applied": components["headers"]["Preference-Applied"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RequeueStarted"];
                };
            };
            /** @description Some succeeded and some failed: see each result. */
            207: {
                headers: {
                    Location: components["headers"]["Location"];
                    "Preference-Applied": components["headers"]["Preference-Applied"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RequeueAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV2ExecutionsSubmit: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat with the same key creates and sends nothing again; it gets the first request's answer. */
                "Idempotency-Key"?: string;
                /** @description `respond-async` for 202 at once. */
                Prefer?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "executionIds": [
                 *         9,
                 *         10
                 *       ],
                 *       "filter": null
                 *     }
                 */
                "application/json": components["schemas"]["ExecutionsSubmit"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    Location: components["headers"]["Location"];
                    "Preference-Applied": components["headers"]["Preference-Applied"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    "X-Submission-Message": components["headers"]["X-Submission-Message"];
                    "X-Submission-State": components["headers"]["X-Submission-State"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ExecutionsSubmitAnswer"];
                };
            };
            /** @description Accepted: Location has the address of the progress. */
            202: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    Location: components["headers"]["Location"];
                    "Preference-Applied": components["headers"]["Preference-Applied"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    "X-Submission-Message": components["headers"]["X-Submission-Message"];
                    "X-Submission-State": components["headers"]["X-Submission-State"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProgressAnswer"];
                };
            };
            /** @description Some succeeded and some failed: see each result. */
            207: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    Location: components["headers"]["Location"];
                    "Preference-Applied": components["headers"]["Preference-Applied"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    "X-Submission-Message": components["headers"]["X-Submission-Message"];
                    "X-Submission-State": components["headers"]["X-Submission-State"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ExecutionsSubmitAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            422: components["responses"]["Error422"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2Failures: {
        parameters: {
            query?: {
                /** @description Only what failed at this time or later. */
                from?: string;
                /** @description Groups; 100 when left out. */
                limit?: number;
                /** @description Only executions in this state. */
                state?: "rejected" | "exhausted";
                /** @description Only what failed before this time. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FailuresAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2FailuresExecutions: {
        parameters: {
            query?: {
                /** @description Only executions with this code. */
                code?: string;
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Only what failed at this time or later. */
                from?: string;
                /** @description Rows of a page; 50 when left out. */
                limit?: number;
                /** @description Only executions with this message, whatever the UUIDs and the numbers of four digits or more in it. */
                message?: string;
                /** @description Only executions in this state. */
                state?: "rejected" | "exhausted";
                /** @description Only what failed before this time. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FailedExecutionsAnswer"];
                    "application/x-ndjson": string;
                    "text/csv": string;
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2Me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CallerAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV2Pause: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PausePost"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PausedAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            408: components["responses"]["Error408"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2Pauses: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PausesAnswer"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2Replicas: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReplicaList"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV2Resume: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PausePost"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResumedAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            408: components["responses"]["Error408"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2Series: {
        parameters: {
            query?: {
                /** @description How far the series reaches back; 1h when left out. */
                window?: "15m" | "1h" | "6h" | "24h";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CallSeries"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2Submissions: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Submissions of a page; 20 when left out. */
                limit?: number;
                /** @description Only submissions that are running, or that are finished. */
                status?: "RUNNING" | "FINISHED";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SubmissionsAnswer"];
                    "application/x-ndjson": string;
                    "text/csv": string;
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2SubmissionsById: {
        parameters: {
            query?: {
                /** @description Rows of a page; 100 when left out. */
                limit?: number;
                /** @description Rows left out before the page, exactly. */
                offset?: number;
            };
            header?: never;
            path: {
                /** @description The id in the response that began it. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SubmissionAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2SubmissionsByIdAttempts: {
        parameters: {
            query?: {
                /** @description The `nextAfter` of the page before. */
                after?: string;
                /** @description Rows of a page; 100 when left out. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The id in the response that began it. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SubmissionAttemptsAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2SubmissionsByIdEvents: {
        parameters: {
            query?: never;
            header?: {
                /** @description The id of the last event that was seen. */
                "Last-Event-ID"?: number;
            };
            path: {
                /** @description The id in the response that began it. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2Summary: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceSummary"];
                };
            };
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2TradeOrders: {
        parameters: {
            query?: {
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled blotterAbbreviation, blotterAbbreviations, blotter, blotters, blotter_abbreviation. */
                "blotter.abbreviation"?: string;
                /** @description The `nextCursor` of the page before, in place of offset: equally fast however deep. */
                cursor?: string;
                /** @description At least this. Also spelled tradeTimestamp.from, tradeTimestampFrom. */
                from?: string;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled ids. */
                id?: string;
                /** @description At most this. Also spelled maxId, idMax, id_max. */
                "id.max"?: string;
                /** @description At least this. Also spelled minId, idMin, id_min. */
                "id.min"?: string;
                /** @description Rows of a page; 50 when left out. */
                limit?: number;
                /** @description Rows left out before the page; any number, not only whole pages. */
                offset?: number;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled orderIds, order_id. */
                orderId?: string;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled orderTypes, order_type. */
                orderType?: string;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled portfolioName, portfolioNames, portfolio_name. */
                "portfolio.name"?: string;
                /** @description At most this. Also spelled maxQuantity, quantityMax, quantity_max. */
                "quantity.max"?: string;
                /** @description At least this. Also spelled minQuantity, quantityMin, quantity_min. */
                "quantity.min"?: string;
                /** @description At most this. Also spelled maxQuantitySent, quantitySentMax, quantitySent_max. */
                "quantitySent.max"?: string;
                /** @description At least this. Also spelled minQuantitySent, quantitySentMin, quantitySent_min. */
                "quantitySent.min"?: string;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled securityTicker, securityTickers, security, securities, ticker, tickers, security_ticker. */
                "security.ticker"?: string;
                /** @description Comma list of id, orderId, orderType, quantity, quantitySent, tradeTimestamp, submitted, blotter.abbreviation, security.ticker, portfolio.name; - in front for descending. Rows that are equal come by id. */
                sort?: string;
                /** @description Equal to one of these, separated by commas; text in any case of letters. Also spelled submitteds. */
                submitted?: boolean;
                /** @description Before this. Also spelled tradeTimestamp.to, tradeTimestampTo. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Ignored-Parameters": components["headers"]["X-Ignored-Parameters"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "tradeOrders": [
                     *         {
                     *           "id": 7,
                     *           "orderId": 4711,
                     *           "portfolio": {
                     *             "portfolioId": "P1",
                     *             "name": "Growth"
                     *           },
                     *           "orderType": "BUY",
                     *           "security": {
                     *             "securityId": "S1",
                     *             "ticker": "IBM"
                     *           },
                     *           "quantity": 100.5,
                     *           "quantitySent": 100.5,
                     *           "limitPrice": 189.12345678,
                     *           "tradeTimestamp": "2026-01-30T15:30:00Z",
                     *           "blotter": {
                     *             "id": 1,
                     *             "abbreviation": "EQ",
                     *             "name": "Equity",
                     *             "version": 1
                     *           },
                     *           "submitted": true,
                     *           "version": 2
                     *         }
                     *       ],
                     *       "pagination": {
                     *         "totalElements": 1,
                     *         "totalIsEstimate": false,
                     *         "totalPages": 1,
                     *         "currentPage": 0,
                     *         "pageSize": 50,
                     *         "hasNext": false,
                     *         "hasPrevious": false,
                     *         "nextCursor": null
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["TradeOrderPage"];
                    "application/x-ndjson": string;
                    "text/csv": string;
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2TradeOrdersById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the trade order. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 7,
                     *       "orderId": 4711,
                     *       "portfolio": {
                     *         "portfolioId": "P1",
                     *         "name": "Growth"
                     *       },
                     *       "orderType": "BUY",
                     *       "security": {
                     *         "securityId": "S1",
                     *         "ticker": "IBM"
                     *       },
                     *       "quantity": 100.5,
                     *       "quantitySent": 100.5,
                     *       "limitPrice": 189.12345678,
                     *       "tradeTimestamp": "2026-01-30T15:30:00Z",
                     *       "blotter": {
                     *         "id": 1,
                     *         "abbreviation": "EQ",
                     *         "name": "Equity",
                     *         "version": 1
                     *       },
                     *       "submitted": true,
                     *       "version": 2
                     *     }
                     */
                    "application/json": components["schemas"]["TradeOrderV2"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    postV2TradeOrdersBatchCreate: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeat with the same key creates and sends nothing again; it gets the first request's answer. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "tradeOrders": [
                 *         {
                 *           "orderId": 4711,
                 *           "portfolioId": "P1",
                 *           "orderType": "BUY",
                 *           "securityId": "S1",
                 *           "quantity": 100.5,
                 *           "limitPrice": 189.12345678,
                 *           "tradeTimestamp": "2026-01-30T15:30:00Z",
                 *           "blotterId": 1
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["TradeOrderBulkPost"];
            };
        };
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    "Idempotent-Replayed": components["headers"]["Idempotent-Replayed"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchCreateAnswer"];
                };
            };
            /** @description The request breaks a rule; the message names field, value and rule. */
            400: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Bad Request",
                     *       "detail": "quantity: must be greater than zero; got '-5'",
                     *       "error": "quantity: must be greater than zero; got '-5'",
                     *       "message": "quantity: must be greater than zero; got '-5'",
                     *       "details": {
                     *         "field": "quantity",
                     *         "rule": "must be greater than zero",
                     *         "value": "-5"
                     *       },
                     *       "code": "INVALID_INPUT",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 400
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The key or token is missing or unknown. */
            401: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Unauthorized",
                     *       "detail": "give a key or token: Authorization: Bearer, or X-API-Key",
                     *       "error": "give a key or token: Authorization: Bearer, or X-API-Key",
                     *       "message": "give a key or token: Authorization: Bearer, or X-API-Key",
                     *       "details": {},
                     *       "code": "NOT_AUTHENTICATED",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 401
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The caller lacks the required role. */
            403: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Forbidden",
                     *       "detail": "this needs the role trader; desk has reader",
                     *       "error": "this needs the role trader; desk has reader",
                     *       "message": "this needs the role trader; desk has reader",
                     *       "details": {},
                     *       "code": "NOT_PERMITTED",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 403
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description Not found: the resource itself, or one that the body refers to. */
            404: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Not Found",
                     *       "detail": "trade order 7 does not exist",
                     *       "error": "trade order 7 does not exist",
                     *       "message": "trade order 7 does not exist",
                     *       "details": {
                     *         "id": 7,
                     *         "thing": "trade order"
                     *       },
                     *       "code": "NOT_FOUND",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 404
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body did not arrive in time. */
            408: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Request Timeout",
                     *       "detail": "the body did not arrive within 30 s",
                     *       "error": "the body did not arrive within 30 s",
                     *       "message": "the body did not arrive within 30 s",
                     *       "details": {},
                     *       "code": "BODY_TOO_SLOW",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 408
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description Conflict: another version, a name that is taken, or an execution in flight. */
            409: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Conflict",
                     *       "detail": "trade order 7 has version 3, not 2: read it again and repeat the change",
                     *       "error": "trade order 7 has version 3, not 2: read it again and repeat the change",
                     *       "message": "trade order 7 has version 3, not 2: read it again and repeat the change",
                     *       "details": {
                     *         "current": 3,
                     *         "given": 2,
                     *         "id": 7,
                     *         "thing": "trade order"
                     *       },
                     *       "code": "VERSION_CONFLICT",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 409
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body or the list is too large. */
            413: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Request Entity Too Large",
                     *       "detail": "submissions: must be at most 100; got 101, nothing was submitted",
                     *       "error": "submissions: must be at most 100; got 101, nothing was submitted",
                     *       "message": "submissions: must be at most 100; got 101, nothing was submitted",
                     *       "details": {},
                     *       "code": "TOO_MANY",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 413
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is not plain JSON. */
            415: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Unsupported Media Type",
                     *       "detail": "Content-Type: must be application/json; got 'text/plain'",
                     *       "error": "Content-Type: must be application/json; got 'text/plain'",
                     *       "message": "Content-Type: must be application/json; got 'text/plain'",
                     *       "details": {
                     *         "field": "Content-Type",
                     *         "rule": "must be application/json",
                     *         "value": "text/plain"
                     *       },
                     *       "code": "UNSUPPORTED_MEDIA_TYPE",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 415
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The request names a host that is not allowed: see `server.allowed_hosts`. */
            421: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Misdirected Request",
                     *       "detail": "Host: must name this machine or be one of server.allowed_hosts; got 'trade.example'",
                     *       "error": "Host: must name this machine or be one of server.allowed_hosts; got 'trade.example'",
                     *       "message": "Host: must name this machine or be one of server.allowed_hosts; got 'trade.example'",
                     *       "details": {
                     *         "field": "Host",
                     *         "rule": "must name this machine or be one of server.allowed_hosts",
                     *         "value": "trade.example"
                     *       },
                     *       "code": "HOST_NOT_ALLOWED",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 421
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The Idempotency-Key was used with another path, query or body. */
            422: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Unprocessable Entity",
                     *       "detail": "Idempotency-Key: must be new for a new request; got 'k-1'",
                     *       "error": "Idempotency-Key: must be new for a new request; got 'k-1'",
                     *       "message": "Idempotency-Key: must be new for a new request; got 'k-1'",
                     *       "details": {
                     *         "field": "Idempotency-Key",
                     *         "rule": "must be new for a new request",
                     *         "value": "k-1"
                     *       },
                     *       "code": "IDEMPOTENCY_KEY_REUSED",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 422
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description Too many requests of this client: Retry-After says when to continue. */
            429: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Too Many Requests",
                     *       "detail": "more than 50 requests a second",
                     *       "error": "more than 50 requests a second",
                     *       "message": "more than 50 requests a second",
                     *       "details": {},
                     *       "code": "TOO_MANY_REQUESTS",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 429
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description A defect, or wrong configuration: see the service log for this request id. */
            500: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Internal Server Error",
                     *       "detail": "unexpected internal error; see the service log for this request id",
                     *       "error": "unexpected internal error; see the service log for this request id",
                     *       "message": "unexpected internal error; see the service log for this request id",
                     *       "details": {},
                     *       "code": "INTERNAL_ERROR",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 500
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The database or the Execution Service is unavailable, or the service is overloaded. Or `TOO_SLOW`. */
            503: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkRefusal"];
                    /**
                     * @example {
                     *       "type": "about:blank",
                     *       "title": "Service Unavailable",
                     *       "detail": "the database is away: nothing is lost, try again",
                     *       "error": "the database is away: nothing is lost, try again",
                     *       "message": "the database is away: nothing is lost, try again",
                     *       "details": {},
                     *       "code": "STORE_UNAVAILABLE",
                     *       "requestId": "0f8fad5bd9cb469fa16570867728950e",
                     *       "status": 503
                     *     }
                     */
                    "application/problem+json": components["schemas"]["ProblemBody"];
                };
            };
        };
    };
    putV2TradeOrdersBatchMove: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "tradeOrderIds": [
                 *         7,
                 *         8
                 *       ],
                 *       "blotterAbbreviation": "EQ"
                 *     }
                 */
                "application/json": components["schemas"]["BatchMove"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchMoveAnswer"];
                };
            };
            /** @description Some succeeded and some failed: see each result. */
            207: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchMoveAnswer"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            408: components["responses"]["Error408"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getV2Unknowns: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Rows of a page; 50 when left out. */
                limit?: number;
                /** @description Only those that only a person can settle. */
                needsPerson?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UnknownsAnswer"];
                    "application/x-ndjson": string;
                    "text/csv": string;
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            421: components["responses"]["Error421"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
        };
    };
    getMetrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            500: components["responses"]["Error500"];
        };
    };
}
