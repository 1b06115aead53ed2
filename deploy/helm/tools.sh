#!/usr/bin/env bash
# Fetches what renders and checks the chart: eval "$(deploy/helm/tools.sh)" exports SEAM_HELM (helm, built from its source) and
# SEAM_KUBERNETES (a Python with Kubernetes' schemas). Both stay in ${SEAM_CACHE:-$HOME/.cache/seam}.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SEAM_CACHE:-$HOME/.cache/seam}
helm=v4.3.1

bin=$cache/helm-$helm
[[ -x $bin/helm ]] || GOFLAGS='' GOBIN=$bin go install "helm.sh/helm/v4/cmd/helm@$helm" >&2

venv=$cache/kubernetes-$(cksum <"$here/requirements.txt" | cut -d' ' -f1)
if [[ ! -f $venv/complete ]]; then
  rm -rf "$venv"
  python3 -m venv "$venv" >&2
  "$venv/bin/pip" install -q -r "$here/requirements.txt" >&2 </dev/null
  touch "$venv/complete"
fi
printf 'export SEAM_HELM=%q\nexport SEAM_KUBERNETES=%q\n' "$bin/helm" "$venv/bin/python"
