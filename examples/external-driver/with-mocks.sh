#!/bin/sh
# Run a load generator or test runner of your own against a workload whose dependencies are mocked.
#
#   with-mocks.sh NAMESPACE REPLAY.yaml COMMAND [ARGUMENT...]
#
# Starts the TrafficReplay of the file (mode responder-only), waits until the workload calls the mocks, runs the command,
# and deletes the TrafficReplay however the command ends, also on SIGTERM and SIGINT: the mocks go, the workload is as
# before. Exit code: the command's; 2 when the mocks do not come up, with what the TrafficReplay says.
set -u
if [ "$#" -lt 3 ]; then
  echo "usage: with-mocks.sh NAMESPACE REPLAY.yaml COMMAND [ARGUMENT...]" >&2
  exit 2
fi
namespace=$1 file=$2
shift 2
child=

end() {
  [ -z "$child" ] || kill "$child" 2>/dev/null
  kubectl delete --namespace "$namespace" -f "$file" --ignore-not-found --wait=true >&2
  [ -z "$child" ] || wait "$child" 2>/dev/null
}
trap end EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

kubectl apply --namespace "$namespace" -f "$file" >&2 || exit 2
if ! kubectl wait --namespace "$namespace" -f "$file" --for=condition=MocksReady --timeout="${MOCKS_TIMEOUT:-10m}" >&2; then
  kubectl get --namespace "$namespace" -f "$file" -o jsonpath='{.status.conditions[-1:].message}' >&2
  exit 2
fi
"$@" &  # in the background, so that a signal reaches us at once
child=$!
wait "$child"
code=$?
child=
exit "$code"
