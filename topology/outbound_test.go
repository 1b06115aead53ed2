package topology

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

const signingSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// guarded loads a topology of one integration whose calls have settings of their own.
func guarded(t *testing.T, more, call, environments string, lookup func(string) (string, bool)) (*Topology, error) {
	t.Helper()
	files := fstest.MapFS{
		"topics.yaml":    {Data: []byte("environment: staging\npartitions: 1\n")},
		"teams.yaml":     {Data: []byte("ops: {pager: p}\n")},
		"ownership.yaml": {Data: []byte("order.status: {owner: shop, page: ops}\nunowned: [\"*\"]\n")},
		"integrations/a.yaml": {Data: []byte("name: a\nteam: ops\noperation: do\ncomplete_within: 1h\nstale_after: 1h\nidempotency: {upsert: true}\n" + more +
			"\ndeliver:\n  - on: [order.created]\n    http: {" + call + "}\n    body: {id: order.id}\n")},
	}
	if environments != "" {
		files["environments.yaml"] = &fstest.MapFile{Data: []byte(environments)}
	}
	return Load(files, lookup)
}

// TestOutboundFaults names what is wrong with how calls go out, by file and line, and shows no secret.
func TestOutboundFaults(t *testing.T) {
	t.Parallel()
	const url = `url: "https://a.example/{order.id}"`
	const grant = `token_url: "https://login.example/token", client_id: seam, client_secret: hunter2hunter2`
	tests := []struct{ name, more, call, environments, want string }{
		{"all is well", "tls: {ca: ca.pem, cert: c.pem, key: k.pem}\nsign: {secrets: [" + signingSecret + ", \"\"]}", url + ", auth: {oauth2: {" + grant + ", send: body}}", "staging: {private: [{to: loopback, why: x}]}", ""},
		{"a certificate without its key", "tls: {cert: c.pem}", url, "", "integrations/a.yaml:7: tls.cert and tls.key go together"},
		{"no secrets", "sign: {secrets: [\"\"]}", url, "", "integrations/a.yaml:7: sign.secrets is missing"},
		{"a secret of another sort", "sign: {secrets: [hunter2hunter2]}", url, "", "integrations/a.yaml:7: a signing secret begins with whsec_"},
		{"a short secret", "sign: {secrets: [whsec_aHVudGVyMg==]}", url, "", "goes on with base64 of 24 to 64 bytes"},
		{"half a grant", "", url + `, auth: {oauth2: {token_url: "https://login.example/token"}}`, "", "client_id and client_secret are needed"},
		{"no address of tokens", "", url + `, auth: {oauth2: {client_id: a, client_secret: hunter2hunter2}}`, "", "token_url is not an http address"},
		{"sent otherwise", "", url + `, auth: {oauth2: {` + grant + `, send: query}}`, "", `send is "query": write basic or body`},
		{"two tokens", "", url + `, auth: {bearer: hunter2hunter2, oauth2: {` + grant + `}}`, "", "choose one"},
		{"a host from the event", "", `url: "https://{order.id}.example/x"`, "", "integrations/a.yaml:10: the host of"},
		{"a user from the event", "", `url: "https://u:{order.id}@a.example"`, "", "the host of"},
		{"a query from the event", "", `url: "https://a.example?id={order.id}"`, "", ""},
		{"no network", "", url, "staging: {private: [{to: loopback}, {to: erp.example}]}", `environments.yaml:1: to: "erp.example" is no network`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := guarded(t, tt.more, tt.call, tt.environments, func(string) (string, bool) { return "", false })
			if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("load: %v, want %q", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "aHVudGVyMg")) {
				t.Errorf("the fault shows the secret: %v", err)
			}
		})
	}
}

// TestOutboundByDefault: public addresses alone, and loopback in development, unless environments.yaml says.
func TestOutboundByDefault(t *testing.T) {
	t.Parallel()
	within := map[string]Environment{"development": {Private: []PrivateNetwork{{To: "10.0.0.0/8"}}}}
	tests := []struct {
		topo Topology
		addr string
		may  bool
	}{
		{Topology{Environment: "production"}, "127.0.0.1", false},
		{Topology{Environment: "production"}, "10.0.0.1", false},
		{Topology{Environment: "production"}, "93.184.216.34", true},
		{Topology{}, "127.0.0.1", false},
		{Topology{Environment: Development}, "127.0.0.1", true},
		{Topology{Environment: Development}, "10.0.0.1", false},
		{Topology{Environment: Development, Environments: within}, "127.0.0.1", false},
		{Topology{Environment: Development, Environments: within}, "10.0.0.1", true},
		{Topology{Environment: "production", Environments: within}, "10.0.0.1", false},
	}
	for _, tt := range tests {
		if err := tt.topo.Outbound().Check(netip.MustParseAddr(tt.addr)); (err == nil) != tt.may {
			t.Errorf("%s to %s: %v, want allowed %v", tt.topo.Environment, tt.addr, err, tt.may)
		}
	}
}

// TestSigningSecretChanges: a secret whose file has another signs beside the new one for a day.
func TestSigningSecretChanges(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	next := "whsec_" + strings.Repeat("B", 32)
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(signingSecret)
	topo, err := guarded(t, `sign: {secrets: ["${A_SECRET}"]}`, `url: "https://a.example"`, "", WithFiles(func(name string) (string, bool) {
		return file, name == "A_SECRET_FILE"
	}))
	if err != nil {
		t.Fatal(err)
	}
	sign := topo.Integrations[0].Sign
	if got := sign.Keys(); len(got) != 1 || got[0].Reveal() != signingSecret {
		t.Fatalf("%d keys", len(got))
	}
	write(next)
	sign.files[0].Stale()
	if got := sign.Keys(); len(got) != 2 || got[0].Reveal() != next || got[1].Reveal() != signingSecret {
		t.Errorf("%d keys, want the new one and the one before", len(got))
	}
}
