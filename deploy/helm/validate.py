"""Holds rendered manifests to Kubernetes' schemas, strictly: python validate.py VERSION FILE...

Each file holds YAML documents. A field that the kind does not have is a fault, as is a kind that nobody here knows. Faults are
printed, one a line; exit 1 if there are any. The closing line says how many documents were looked at.
"""

import sys

import kubernetes_validate
import yaml
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as prometheus
from pydantic import ValidationError

CUSTOM = {
    ("keda.sh/v1alpha1", "ScaledObject"): keda.ScaledObject,
    ("monitoring.coreos.com/v1", "ServiceMonitor"): prometheus.ServiceMonitor,
    ("monitoring.coreos.com/v1", "PrometheusRule"): prometheus.PrometheusRule,
}


def unknown(given, taken, at=""):
    """Paths of what was given and not taken: models leave out what they do not know."""
    if isinstance(given, dict) and isinstance(taken, dict):
        for key, value in given.items():
            if key not in taken:
                yield f"{at}.{key} is no field"
            else:
                yield from unknown(value, taken[key], f"{at}.{key}")
    elif isinstance(given, list) and isinstance(taken, list):
        for i, value in enumerate(given):
            yield from unknown(value, taken[i], f"{at}[{i}]")


def faults(doc, version):
    model = CUSTOM.get((doc.get("apiVersion"), doc.get("kind")))
    try:
        if model is None:
            kubernetes_validate.validate(doc, version, strict=True)
        else:
            taken = model.model_validate(doc).model_dump(by_alias=True, exclude_unset=True, mode="json")
            yield from unknown(doc, taken)
    except ValidationError as e:
        for error in e.errors():
            yield ".".join(map(str, error["loc"])) + ": " + error["msg"]
    except kubernetes_validate.ValidationError as e:
        yield ".".join(map(str, e.path)) + ": " + e.message
    except kubernetes_validate.SchemaNotFoundError as e:
        yield str(e)


def main(version, names):
    count = found = 0
    for name in names:
        with open(name, encoding="utf-8") as file:
            for doc in filter(None, yaml.safe_load_all(file)):
                count += 1
                for fault in faults(doc, version):
                    found += 1
                    print(f"{name}: {doc.get('kind')} {doc.get('metadata', {}).get('name')}: {fault}")
    print(f"{count} documents, {found} faults")
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
