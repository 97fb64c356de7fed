"""Makes the JSON schemas that kubeconform reads, from what Go modules carry: Kubernetes' own OpenAPI document, and the
definitions of the resources (CRDs) of KEDA, the Gateway API, the Prometheus operator and the External Secrets Operator.

    schemas.py FOLDER VERSION...    FOLDER/vVERSION-standalone-strict/KIND-GROUP-VERSION.json, FOLDER/crds/…, and the
                                    definitions themselves, for an API server: FOLDER/definitions/NAME.yaml
"""

import json
import pathlib
import subprocess
import sys

import yaml

KUBERNETES = "k8s.io/kubernetes"
CRDS = {
    "github.com/kedacore/keda/v2@v2.21.0": "config/crd/bases",
    "sigs.k8s.io/gateway-api@v1.4.1": "config/crd/standard",
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": "example/prometheus-operator-crd",
    "github.com/external-secrets/external-secrets@v1.3.2": "config/crds/bases",
}
# What KEDA says about the parameters of its triggers. The CRD alone takes any parameter.
SCALERS = ("github.com/kedacore/keda/v2@v2.21.0", "schema/generated/scalers-schema.json")


# YAML 1.1 gives a lone `=` a meaning that PyYAML knows no value for.
yaml.SafeLoader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))


def module(name):
    """The folder of a module, which is downloaded when it is not there."""
    command = ["go", "mod", "download", "-json", name]
    result = subprocess.run(command, capture_output=True, text=True, cwd="/")
    if result.returncode != 0:
        sys.exit(f"schemas.py: {name} cannot be downloaded: {result.stdout}{result.stderr}")
    return pathlib.Path(json.loads(result.stdout)["Dir"])


def strict(schema):
    """Refuses fields that an object does not have, as the API server does with strict decoding."""
    if isinstance(schema, dict):
        for value in schema.values():
            strict(value)
        if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
        if schema.pop("x-kubernetes-int-or-string", False):
            schema.pop("type", None)
            schema["oneOf"] = [{"type": "string"}, {"type": "integer"}]
    elif isinstance(schema, list):
        for value in schema:
            strict(value)
    return schema


def name_of(kind, group, version):
    # kubeconform names a file by the first label of the group.
    parts = [kind.lower(), *([group.split(".")[0]] if group else []), version.lower()]
    return "-".join(parts) + ".json"


def of_kubernetes(folder, version):
    document = json.loads((module(f"{KUBERNETES}@v{version}") / "api/openapi-spec/swagger.json").read_text())
    definitions = document["definitions"]
    quantity = "io.k8s.apimachinery.pkg.api.resource.Quantity"
    definitions[quantity] = {"oneOf": [{"type": "string"}, {"type": "number"}]}
    definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"] = {"oneOf": [{"type": "string"}, {"type": "integer"}]}
    strict(definitions)
    folder.mkdir(parents=True, exist_ok=True)
    for schema in definitions.values():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            used = {}

            def collect(node):
                if isinstance(node, dict):
                    reference = node.get("$ref")
                    if isinstance(reference, str):
                        key = reference.removeprefix("#/definitions/")
                        if key not in used:
                            used[key] = definitions[key]
                            collect(definitions[key])
                    for value in node.values():
                        collect(value)
                elif isinstance(node, list):
                    for value in node:
                        collect(value)

            collect(schema)
            path = folder / name_of(kind["kind"], kind["group"], kind["version"])
            path.write_text(json.dumps({**schema, "definitions": used}))


def of_crds(folder, definitions):
    folder.mkdir(parents=True, exist_ok=True)
    definitions.mkdir(parents=True, exist_ok=True)
    for name, place in CRDS.items():
        for file in sorted((module(name) / place).glob("*.yaml")):
            for crd in yaml.safe_load_all(file.read_text()):
                if not crd or crd.get("kind") != "CustomResourceDefinition":
                    continue
                (definitions / f"{crd['metadata']['name']}.yaml").write_text(yaml.safe_dump(crd))
                spec = crd["spec"]
                for version in spec["versions"]:
                    schema = strict(version["schema"]["openAPIV3Schema"])
                    # The API server adds what every object has.
                    schema["properties"] |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
                    (folder / name_of(spec["names"]["kind"], spec["group"], version["name"])).write_text(json.dumps(schema))


def main(folder, *versions):
    folder = pathlib.Path(folder)
    for version in versions:
        made = folder / f"v{version}-standalone-strict"
        if not (made / "made").exists():
            of_kubernetes(made, version)
            (made / "made").touch()
    if not (folder / "definitions" / "made").exists():
        of_crds(folder / "crds", folder / "definitions")
        name, path = SCALERS
        (folder / "scalers.json").write_text((module(name) / path).read_text())
        (folder / "definitions" / "made").touch()


main(*sys.argv[1:])
