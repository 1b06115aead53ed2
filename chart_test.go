package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const chartDir = "deploy/helm/seam"

// least is what the chart asks for at least.
const least = "kafka: {brokers: [\"kafka:9092\"]}\nregistry: {url: \"https://registry.example\"}\n"

// manifest is what the tests look at of a rendered object.
type manifest struct {
	Kind     string
	Metadata struct {
		Name        string
		Labels      map[string]string
		Annotations map[string]string
	}
	Spec struct {
		Replicas *int
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     podSpec
		}
		Selector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		}
	}
	Data map[string]string
}

type podSpec struct {
	TerminationGracePeriodSeconds int  `yaml:"terminationGracePeriodSeconds"`
	AutomountServiceAccountToken  bool `yaml:"automountServiceAccountToken"`
	SecurityContext               struct {
		RunAsNonRoot   bool              `yaml:"runAsNonRoot"`
		SeccompProfile map[string]string `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	Containers []struct {
		Image           string
		Args            []string
		SecurityContext struct {
			AllowPrivilegeEscalation bool `yaml:"allowPrivilegeEscalation"`
			ReadOnlyRootFilesystem   bool `yaml:"readOnlyRootFilesystem"`
			Capabilities             struct{ Drop []string }
		} `yaml:"securityContext"`
		Env            []struct{ Name, Value string }
		LivenessProbe  any `yaml:"livenessProbe"`
		ReadinessProbe any `yaml:"readinessProbe"`
		VolumeMounts   []struct {
			MountPath string `yaml:"mountPath"`
		} `yaml:"volumeMounts"`
	}
}

// chartTools gives helm and a Python with Kubernetes' schemas; without them the test is skipped, or fails where SEAM_INTEROP asks.
func chartTools(t *testing.T) (helm, python string) {
	t.Helper()
	helm, python = os.Getenv("SEAM_HELM"), os.Getenv("SEAM_KUBERNETES")
	switch {
	case helm != "" && python != "":
		return helm, python
	case os.Getenv("SEAM_INTEROP") != "":
		t.Fatal(`no helm: eval "$(deploy/helm/tools.sh)"`)
	}
	t.Skip(`no helm: eval "$(deploy/helm/tools.sh)"`)
	return "", ""
}

// render gives what helm makes of values, or what it says against them.
func render(t *testing.T, helm string, values ...string) ([]byte, error) {
	t.Helper()
	args := []string{"template", "shop", chartDir}
	for i, text := range values {
		name := filepath.Join(t.TempDir(), fmt.Sprintf("values-%d.yaml", i))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-f", name)
	}
	cmd := exec.CommandContext(t.Context(), helm, args...)
	cmd.Env = append(os.Environ(), "HELM_CONFIG_HOME="+t.TempDir(), "HELM_CACHE_HOME="+t.TempDir(), "HELM_DATA_HOME="+t.TempDir())
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, errors.New(string(exit.Stderr))
	}
	return out, err
}

// manifests are the objects of a rendered chart by kind and name.
func manifests(t *testing.T, text []byte) map[string]manifest {
	t.Helper()
	out := map[string]manifest{}
	for docs := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var m manifest
		if err := docs.Decode(&m); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if m.Kind != "" {
			out[m.Kind+" "+m.Metadata.Name] = m
		}
	}
}

// ofTopology is what seam chart-values prints for the shipped topology.
func ofTopology(t *testing.T) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run([]string{"chart-values"}, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	return out.String()
}

// TestChart renders the chart with helm as it is shipped, with a topology, with everything that it can do, and holds the result to
// Kubernetes' schemas and to what each pod must be.
func TestChart(t *testing.T) {
	t.Parallel()
	helm, python := chartTools(t)
	everything, err := os.ReadFile("testdata/chart/all.yaml")
	if err != nil {
		t.Fatal(err)
	}
	topology := ofTopology(t)
	known := knownVariables(t)
	check := []string{"deploy/helm/validate.py", "1.34"}
	rendered := map[string]map[string]manifest{}
	for name, values := range map[string][]string{
		"least":      {least},
		"topology":   {topology, least},
		"everything": {topology, string(everything)},
		"other":      {topology, string(everything), "autoscaling: {by: hpa}\nmigrate: {run: 'off'}\nedge: {persistence: {enabled: false}}\nnetworkPolicy: {enabled: false}\n"},
	} {
		text, err := render(t, helm, values...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		file := filepath.Join(t.TempDir(), name+".yaml")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		check = append(check, file)
		rendered[name] = manifests(t, text)
		for what, m := range rendered[name] {
			if len(m.Spec.Template.Spec.Containers) > 0 {
				safe(t, name+": "+what, m, known)
			}
		}
	}
	if out, err := exec.CommandContext(t.Context(), python, check...).CombinedOutput(); err != nil {
		t.Errorf("the schemas of Kubernetes: %v\n%s", err, out)
	}

	for what, wanted := range map[string][]string{
		"least":      {"Deployment shop-edge", "StatefulSet shop-reconcile", "Job shop-migrate", "NetworkPolicy shop", "PodDisruptionBudget shop-edge", "Service shop-console"},
		"topology":   {"Deployment shop-warehouse", "Deployment shop-tax", "PodDisruptionBudget shop-warehouse", "ConfigMap shop-topology", "ConfigMap shop-migrate"},
		"everything": {"StatefulSet shop-edge", "Ingress shop-edge", "ScaledObject shop-warehouse", "ServiceMonitor shop", "PrometheusRule shop", "NetworkPolicy shop-database"},
		"other":      {"Deployment shop-edge", "HorizontalPodAutoscaler shop-warehouse"},
	} {
		for _, want := range wanted {
			if _, ok := rendered[what][want]; !ok {
				t.Errorf("%s: no %s; there are %v", what, want, slices.Sorted(maps.Keys(rendered[what])))
			}
		}
	}
	for what, unwanted := range map[string]string{"everything": "Deployment shop-tax", "other": "Job shop-migrate", "least": "ConfigMap shop-topology"} {
		if _, ok := rendered[what][unwanted]; ok {
			t.Errorf("%s: there is a %s", what, unwanted)
		}
	}
	if m := rendered["everything"]["Deployment shop-warehouse"]; m.Spec.Replicas != nil {
		t.Error("a Deployment that is scaled has replicas of its own: an upgrade would undo the scaling")
	}
	if got := len(rendered["topology"]["ConfigMap shop-topology"].Data); got < 20 {
		t.Errorf("the topology's ConfigMap has %d files", got)
	}
}

// safe holds a pod to what all pods are: nobody, on a disk that cannot be written, without secrets in variables, with a command line
// and variables that the program knows.
func safe(t *testing.T, what string, m manifest, known map[string]bool) {
	t.Helper()
	pod := m.Spec.Template.Spec
	c := pod.Containers[0]
	if !pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.SeccompProfile["type"] != "RuntimeDefault" || pod.AutomountServiceAccountToken ||
		c.SecurityContext.AllowPrivilegeEscalation || !c.SecurityContext.ReadOnlyRootFilesystem || !slices.Equal(c.SecurityContext.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("%s may do more than it needs: %+v %+v", what, pod.SecurityContext, c.SecurityContext)
	}
	if m.Kind != "Job" && (c.LivenessProbe == nil || c.ReadinessProbe == nil || pod.TerminationGracePeriodSeconds < 30) {
		t.Errorf("%s: no probe, or too little time to end", what)
	}
	for label, value := range m.Spec.Selector.MatchLabels {
		if m.Spec.Template.Metadata.Labels[label] != value {
			t.Errorf("%s selects %s=%s, which its pods do not have", what, label, value)
		}
	}
	parses(t, c.Args)
	var mounts []string
	for _, mount := range c.VolumeMounts {
		if slices.Contains(mounts, mount.MountPath) {
			t.Errorf("%s mounts %s twice", what, mount.MountPath)
		}
		mounts = append(mounts, mount.MountPath)
	}
	for _, v := range c.Env {
		if strings.HasPrefix(v.Name, "SEAM_") && !known[v.Name] {
			t.Errorf("%s: the program has no variable %s", what, v.Name)
		}
		if !strings.HasPrefix(v.Value, "/") || v.Name == "SEAM_DATA" {
			continue
		}
		if !slices.ContainsFunc(mounts, func(at string) bool { return v.Value == at || strings.HasPrefix(v.Value, at+"/") }) {
			t.Errorf("%s: %s is %s, which is not mounted: %v", what, v.Name, v.Value, mounts)
		}
	}
}

// TestChartRefuses: values that cannot work are refused by the schema, at their path.
func TestChartRefuses(t *testing.T) {
	t.Parallel()
	helm, _ := chartTools(t)
	for values, want := range map[string]string{
		"registry: {url: \"https://r\"}\n":                                       "at '/kafka/brokers': minItems: got 0, want 1",
		"kafka: {brokers: [\"kafka\"]}\nregistry: {url: \"https://r\"}\n":        "at '/kafka/brokers/0': 'kafka' does not match pattern",
		"kafka: {brokers: [\"kafka:9092\"]}\nregistry: {url: registry}\n":        "at '/registry/url': 'registry' does not match pattern",
		least + "egde: {replicas: 1}\n":                                          "additional properties 'egde' not allowed",
		least + "secrets: {SHOPIFY_SECRET: hush}\n":                              "at '/secrets/SHOPIFY_SECRET': got string, want object",
		least + "secrets: {SHOPIFY_SECRET: {secret: sources}}\n":                 "missing property 'key'",
		least + "integrations: {reconcile: {}}\n":                                "invalid propertyName 'reconcile'",
		least + "reconcile: {replicas: 2}\n":                                     "at '/reconcile/view'",
		least + "edge: {ingress: {enabled: true, host: hooks.example}}\n":        "at '/edge/ingress/tlsSecret': minLength",
		least + "autoscaling: {enabled: true}\n":                                 "at '/autoscaling/prometheus': minLength",
		least + "terminationGracePeriodSeconds: 5\n":                             "at '/terminationGracePeriodSeconds': minimum: got 5, want 30",
		least + "integrationDefaults: {kafka: {token: {url: \"http://idp\"}}}\n": "at '/integrationDefaults/kafka/token/url'",
	} {
		if _, err := render(t, helm, values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nerror = %v, want %q", values, err, want)
		}
	}
}

// TestChartValidationSees proves that what checks the chart finds a field that is none, one of another type, and a kind unknown.
func TestChartValidationSees(t *testing.T) {
	t.Parallel()
	_, python := chartTools(t)
	file := filepath.Join(t.TempDir(), "wrong.yaml")
	wrong := "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: a}\nspec: {maxUnavailble: 1}\n---\n" +
		"apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: b}\nspec: {scaleTargetRef: {name: b}, triggers: [{metadata: {}}]}\n---\n" +
		"apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: c}\nspec: {selector: {}, endpoints: [{intervall: 1s}]}\n---\n" +
		"apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: d}\n"
	if err := os.WriteFile(file, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), python, "deploy/helm/validate.py", "1.34", file).CombinedOutput()
	if err == nil {
		t.Error("it found nothing")
	}
	for _, want := range []string{"PodDisruptionBudget a: ", "maxUnavailble", "ScaledObject b: spec.triggers.0.type", "ServiceMonitor c: .spec.endpoints[0].intervall is no field", "Thing d: ", "4 documents"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
