package topology_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/topology"
)

const environmentsFile = `staging:
  brokers: ["kafka-staging*:9092"]
  registry: ["registry-staging"]
  hosts: ["*.staging.example", localhost]
  never: ["*.prod.example"]
production:
  hosts: ["*.prod.example"]
`

// addressed is a topology whose one integration is at an address of the environment.
func addressed(environment string) fstest.MapFS {
	files := small("")
	files["topics.yaml"].Data = []byte("environment: " + environment + "\npartitions: 2\n")
	files["environments.yaml"] = &fstest.MapFile{Data: []byte(environmentsFile)}
	files["integrations/a.yaml"].Data = []byte(strings.Replace(string(files["integrations/a.yaml"].Data), "http://localhost/", "${A_URL}/", 1))
	return files
}

// TestHosts refuses an address of another environment when the files are read, and says which variable it came from.
func TestHosts(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, environment, address, want string }{
		{"its own", "staging", "https://a.staging.example/v1", ""},
		{"with a port", "staging", "http://LOCALHOST:8080", ""},
		{"production's", "staging", "https://a.prod.example", "integrations/a.yaml:9: this is environment staging, and a.prod.example is called, which environments.yaml forbids (never: *.prod.example); it comes from A_URL: set it to that of staging"},
		{"anybody's", "staging", "https://a.example", "integrations/a.yaml:9: this is environment staging, and a.example is called, which is none of what environments.yaml allows it (*.staging.example, localhost); it comes from A_URL: set it to that of staging"},
		{"staging's", "production", "https://a.staging.example", "integrations/a.yaml:9: this is environment production, and a.staging.example is called, which is none of what environments.yaml allows it (*.prod.example); it comes from A_URL: set it to that of production"},
		{"unheard of", "stagin", "https://a.staging.example", `topics.yaml:1: environment "stagin" is not in environments.yaml, which has production, staging: nobody said what it may reach`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := topology.Load(addressed(tt.environment), func(name string) (string, bool) { return tt.address, name == "A_URL" })
			got := ""
			if err != nil {
				got = err.Error()
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("error (-want +got):\n%s", d)
			}
		})
	}
}

func TestAllowCluster(t *testing.T) {
	t.Parallel()
	topo, err := topology.Load(addressed("staging"), func(name string) (string, bool) { return "http://localhost", name == "A_URL" })
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, registry, from, want string
		brokers                    []string
	}{
		{name: "embedded"},
		{name: "its own", brokers: []string{"kafka-staging-1:9092"}, registry: "http://registry-staging:8080/apis"},
		{name: "production's", brokers: []string{"kafka-staging-1:9092", "kafka.prod.example:9092"}, registry: "http://registry.prod.example", from: "SEAM_BROKERS",
			want: "this is environment staging, and SEAM_BROKERS names broker kafka.prod.example:9092, which environments.yaml forbids (never: *.prod.example)\n" +
				"this is environment staging, and SEAM_REGISTRY (--registry) names registry.prod.example, which environments.yaml forbids (never: *.prod.example)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := topo.AllowCluster(tt.brokers, tt.registry, tt.from); err != nil {
				got = err.Error()
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("error (-want +got):\n%s", d)
			}
		})
	}
}

// TestAccessFaults are told with file and line, like all others.
func TestAccessFaults(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, old, new, want string }{
		{"unknown role", "access.yaml", "edge: User:edge", "edgy: User:edge", `access.yaml:2: unknown key "edgy": the keys here are edge, reconcile, operators, privacy, integrations`},
		{"no principal", "access.yaml", "User:edge", "edge", `access.yaml:2: principal "edge": write it as Kafka does, User:name`},
		{"everybody", "access.yaml", "User:edge", "User:*", `access.yaml:2: principal "User:*" is everybody: name who runs this`},
		{"quota of nobody", "access.yaml", "  edge: {producer", "  operators: {producer", `access.yaml:6: quota of "operators", which has no principal`},
		{"unknown integration", "access.yaml", `"*": User:workers`, `b: User:workers`, `access.yaml:4: there is no integration "b"`},
		{"not for others", "subscribers/data.yaml", "[orders]", "[keys]", `subscribers/data.yaml:2: topic "keys" is not for other teams: these are orders, customers, inventory, reconciliation, disagreements`},
		{"our group", "subscribers/data.yaml", "group: bi", "group: seam.a", `subscribers/data.yaml:3: group "seam.a" is Seam's own: the team would take an integration's partitions`},
		{"unknown team", "subscribers/data.yaml", "team: data", "team: dat", `subscribers/data.yaml:1: team "dat" is not in teams.yaml`},
		{"no objective", "subscribers/data.yaml", "lag_objective: 15m\n", "", `subscribers/data.yaml:1: lag_objective is missing: how far behind may the team be before it is told?`},
		{"quota of a stranger", "subscribers/data.yaml", "principal: User:bi\n", "", `subscribers/data.yaml:1: a quota or personal needs a principal: who reads?`},
		{"unknown topic of configs", "topics.yaml", "orders: {", "ordrs: {", `topics.yaml:5: configs of unknown topic "ordrs"`},
		{"unknown config", "topics.yaml", "segment.ms", "segment.mss", `topics.yaml:5: unknown config "segment.mss" of a topic`},
		{"policy", "topics.yaml", "segment.ms", "cleanup.policy", `topics.yaml:5: cleanup.policy of orders is Seam's own`},
		{"handshake", "integrations/a.yaml", "team: ops", "team: ops\nenvironment: {get: \"a\"}", `integrations/a.yaml:3: say where the answer stands: one of header and json`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := small("")
			text := string(files[tt.file].Data)
			if !strings.Contains(text, tt.old) {
				t.Fatalf("case is stale: %q is not in %s", tt.old, tt.file)
			}
			files[tt.file].Data = []byte(strings.Replace(text, tt.old, tt.new, 1))
			_, err := topology.Load(files, func(string) (string, bool) { return "", false })
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error lacks %q:\n%v", tt.want, err)
			}
		})
	}
}

// TestACLs holds the least that each role needs to what it is, with the topic that opens personal data apart.
func TestACLs(t *testing.T) {
	t.Parallel()
	files := small("")
	files["access.yaml"].Data = []byte("principals:\n  edge: User:edge\n  operators: User:ops\n  integrations: {a: User:a}\n")
	got := map[string][]string{}
	for _, a := range load(t, files).ACLs() {
		if a.Operation != "DESCRIBE" && a.Operation != "DESCRIBE_CONFIGS" {
			got[a.Principal] = append(got[a.Principal], a.String())
		}
	}
	want := map[string][]string{
		"User:a": {"READ group seam.a", "READ topic commands", "READ topic contracts", "WRITE topic contracts", "READ topic keys", "WRITE topic keys", "READ topic ledger.a", "WRITE topic ledger.a", "READ topic orders",
			"READ topic parked.a", "WRITE topic parked.a", "WRITE topic reconciliation", "WRITE topic status", "READ topic topology", "WRITE transactional_id seam.a/*"},
		"User:bi":   {"READ group bi", "READ topic orders"},
		"User:edge": {"READ topic contracts", "WRITE topic contracts", "WRITE topic customers", "WRITE topic inventory", "READ topic keys", "WRITE topic keys", "WRITE topic orders", "WRITE topic quarantine", "READ topic topology"},
		"User:ops": {"READ topic commands", "WRITE topic commands", "READ topic contracts", "READ topic customers", "READ topic disagreements", "READ topic inventory", "READ topic ledger.a", "READ topic orders",
			"READ topic parked.a", "READ topic quarantine", "READ topic reconciliation", "READ topic status", "READ topic topology"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("access (-want +got):\n%s", d)
	}
}

// TestDiffer shows what two environments do not share, with secrets masked, and the secrets that they do.
func TestDiffer(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"topics.yaml":         {Data: []byte("environment: ${SEAM_ENVIRONMENT}\npartitions: 2\n")},
		"integrations/a.yaml": {Data: []byte("deliver:\n  - http: {url: \"${A_URL}/x\", auth: {bearer: \"${A_TOKEN}\"}, headers: {X: \"${SHARED_SECRET}\"}}\n")},
	}
	read := func(env map[string]string) map[string]topology.Value {
		t.Helper()
		values, err := topology.Values(files, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
		if err != nil {
			t.Fatal(err)
		}
		return values
	}
	differences, shared := topology.Differ(
		read(map[string]string{"SEAM_ENVIRONMENT": "staging", "A_URL": "https://u:secret@a.staging", "A_TOKEN": "s", "SHARED_SECRET": "one"}),
		read(map[string]string{"SEAM_ENVIRONMENT": "production", "A_URL": "https://a", "A_TOKEN": "p", "SHARED_SECRET": "one"}))
	want := []topology.Difference{
		{File: "integrations/a.yaml", Key: "deliver.0.http.auth.bearer", Variables: []string{"A_TOKEN"}, A: "***", B: "***", Secret: true},
		{File: "integrations/a.yaml", Key: "deliver.0.http.url", Variables: []string{"A_URL"}, A: "https://u:***@a.staging/x", B: "https://a/x"},
		{File: "topics.yaml", Key: "environment", Variables: []string{"SEAM_ENVIRONMENT"}, A: "staging", B: "production"},
	}
	if d := cmp.Diff(want, differences); d != "" {
		t.Errorf("differences (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"integrations/a.yaml deliver.0.http.headers.X (SHARED_SECRET)"}, shared); d != "" {
		t.Errorf("shared secrets (-want +got):\n%s", d)
	}
}
