/**
 * The first commands of every runbook. The defaults are those of `npm start`, which writes the addresses
 * into its data directory.
 */
export const SETUP: string = `DATA=\${DATA:-.demo-data}                          # data directory of the service
setting() { jq -r ".$1" "$DATA/service.json"; }
SERVICE=\${SERVICE:-$(setting service)}           # http://127.0.0.1:8080
METRICS=\${METRICS:-$(setting metrics)}           # http://127.0.0.1:9464/metrics
LIVENESS=\${LIVENESS:-$(setting liveness)}        # http://127.0.0.1:8081/livez
PROMETHEUS=\${PROMETHEUS:-http://127.0.0.1:9090}
AUDIT_LOG=\${AUDIT_LOG:-$DATA/audit/audit.db}
PID=\${PID:-$(setting pid)}
TOKEN=\${TOKEN:-$(setting token)}                 # the operator's own rate limit
BIN=\${BIN:-apps/demo/node_modules/.bin}          # commands of the installed packages
PATH="$(dirname "$(setting node)"):$BIN:$PATH"   # they need the Node of the service
auth() { printf 'Authorization: Bearer %s' "$TOKEN"; }   # keeps the token out of ps
ask() { curl -sS --max-time 5 -H @<(auth) "$SERVICE$1"; }
query() {
  curl -sS --max-time 5 --get "$PROMETHEUS/api/v1/query" --data-urlencode "query=$1" |
    jq -r '.data.result[] | ([.metric[]] | join(" ")) + " " + .value[1]'
}`;
