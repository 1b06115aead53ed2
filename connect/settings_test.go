package connect_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/connect"
)

// TestSettings: what cannot work is told before anything is dialled, by the variable's name and with the mend, and without secrets.
func TestSettings(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	cert, key, _ := ca.issue("seam")
	empty, noPEM := write(t, "", " \n"), write(t, "", "hush")
	for _, tt := range []struct {
		name string
		set  map[string]string
		want string // of both unless it names one of them; empty for settings that are good
	}{
		{"nothing", nil, ""},
		{"system's roots", map[string]string{"TLS": "true"}, ""},
		{"own roots", map[string]string{"CA": ca.file()}, ""},
		{"a client's certificate", map[string]string{"CA": ca.file(), "CERT": cert, "KEY": key}, ""},
		{"neither yes nor no", map[string]string{"TLS": "maybe"}, `TLS is "maybe": true or false`},
		{"TLS that is off and on", map[string]string{"TLS": "false", "CA": ca.file()}, "TLS is false and"},
		{"certificate without a key", map[string]string{"CERT": cert}, "KEY name a client's certificate and its key: set both or neither"},
		{"certificate that is a key", map[string]string{"CERT": key, "KEY": key}, "CERT and SEAM_"},
		{"no such file", map[string]string{"CA": "/nowhere/ca.pem"}, "CA: open /nowhere/ca.pem: no such file"},
		{"no PEM", map[string]string{"CA": noPEM}, "holds no certificate: it must be PEM"},
		{"user without a password", map[string]string{"USER": "seam"}, "USER is seam and there is no SEAM_"},
		{"password of a file that is not there", map[string]string{"USER": "seam", "PASSWORD_FILE": "/nowhere/p"}, "PASSWORD_FILE: open /nowhere/p: no such file"},
		{"password of an empty file", map[string]string{"USER": "seam", "PASSWORD_FILE": empty}, "is empty"},
		{"password of a bare name", map[string]string{"USER": "seam", "PASSWORD_FILE": "settings_test.go"}, "write a path with a folder"},
		{"password without a user", map[string]string{"PASSWORD": "hush"}, "USER: set it"},
		{"token and where to get one", map[string]string{"TLS": "true", "TOKEN": "hush", "TOKEN_URL": "https://idp.example/token"}, "TOKEN_URL are set: leave one out"},
		{"token of no place", map[string]string{"TLS": "true", "TOKEN_URL": "idp"}, "TOKEN_URL is no URL"},
		{"token in the open", map[string]string{"TLS": "true", "TOKEN_URL": "http://idp.example/token", "CLIENT_ID": "seam", "CLIENT_SECRET": "hush"}, "TOKEN_URL is http://: it would be sent the client's secret as it is"},
		{"token for nobody", map[string]string{"TLS": "true", "TOKEN_URL": "https://idp.example/token"}, "TOKEN_URL is set and there is no SEAM_"},
		{"token without a secret", map[string]string{"TLS": "true", "TOKEN_URL": "https://idp.example/token", "CLIENT_ID": "seam"}, "CLIENT_ID is seam and there is no SEAM_"},
		{"token of an empty file", map[string]string{"TLS": "true", "TOKEN_FILE": empty}, "TOKEN_FILE: "},
		{"unknown mechanism", map[string]string{"SASL": "GSSAPI"}, `SEAM_KAFKA_SASL is "GSSAPI": SCRAM-SHA-512, SCRAM-SHA-256, PLAIN, OAUTHBEARER or AWS_MSK_IAM`},
		{"PLAIN in the open", map[string]string{"SASL": "PLAIN", "USER": "seam", "PASSWORD": "hush"}, "SEAM_KAFKA_SASL=PLAIN sends what opens the cluster as it is: set SEAM_KAFKA_TLS=true"},
		{"a bearer token in the open", map[string]string{"TOKEN": "hush"}, "SEAM_KAFKA_SASL=OAUTHBEARER sends what opens the cluster as it is"},
		{"MSK in the open", map[string]string{"SASL": "AWS_MSK_IAM"}, "SEAM_KAFKA_SASL=AWS_MSK_IAM sends what opens"},
		{"OAUTHBEARER without a token", map[string]string{"TLS": "true", "SASL": "OAUTHBEARER"}, "SEAM_KAFKA_SASL is OAUTHBEARER and there is no token"},
		{"SCRAM without a user", map[string]string{"SASL": "SCRAM-SHA-256"}, "SEAM_KAFKA_SASL is SCRAM-SHA-256 and there is no SEAM_KAFKA_USER"},
		{"extensions", map[string]string{"TLS": "true", "TOKEN": "hush", "EXTENSIONS": "logicalCluster"}, `SEAM_KAFKA_EXTENSIONS is "logicalCluster": write name=value,name=value`},
		{"user and token", map[string]string{"USER": "seam", "PASSWORD": "hush", "TOKEN": "hush"}, "SEAM_REGISTRY_USER and a token are set: leave one out"},
		{"headers", map[string]string{"HEADERS": "target-sr-cluster="}, `SEAM_REGISTRY_HEADERS is "target-sr-cluster="`},
	} {
		for prefix, read := range map[string]func(func(string) (string, bool)) error{
			"SEAM_KAFKA_":    func(l func(string) (string, bool)) error { _, err := connect.Kafka(l); return err },
			"SEAM_REGISTRY_": func(l func(string) (string, bool)) error { _, err := connect.Registry(l); return err },
		} {
			if other := map[string]string{"SEAM_KAFKA_": "SEAM_REGISTRY_", "SEAM_REGISTRY_": "SEAM_KAFKA_"}[prefix]; strings.Contains(tt.want, other) {
				continue
			}
			set := map[string]string{}
			for k, v := range tt.set {
				set[prefix+k] = v
			}
			err := read(vars(set))
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("%s, %s: %v", tt.name, prefix, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), prefix)):
				t.Errorf("%s, %s: error = %v, want %q of a variable %s", tt.name, prefix, err, tt.want, prefix)
			case err != nil && strings.Contains(err.Error(), "hush"):
				t.Errorf("%s, %s: the error holds the secret: %v", tt.name, prefix, err)
			}
		}
	}
}

// TestExplain names the variable for what brokers refuse, under whatever the error is wrapped in; what is none of ours to explain
// stays what it was.
func TestExplain(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"see SEAM_KAFKA_USER and SEAM_KAFKA_PASSWORD":      kerr.SaslAuthenticationFailed,
		"set SEAM_KAFKA_SASL to a mechanism":               kerr.UnsupportedSaslMechanism,
		"name it in access.yaml":                           kerr.TopicAuthorizationFailed,
		"have it given by seam apply":                      kerr.GroupAuthorizationFailed,
		"this principal lacks access":                      kerr.TransactionalIDAuthorizationFailed,
		"needs Describe and Alter on the cluster":          kerr.ClusterAuthorizationFailed,
		"set SEAM_KAFKA_TLS=true, or SEAM_KAFKA_CA":        errors.New("invalid large response size; is this a plaintext connection speaking to a tls endpoint?"),
		"see SEAM_KAFKA_TLS and SEAM_KAFKA_SASL, and the ": &kgo.ErrFirstReadEOF{},
	} {
		wrapped := fmt.Errorf("read topology: %w", err)
		if got := connect.Explain(wrapped); !strings.Contains(got.Error(), want) || !errors.Is(got, err) {
			t.Errorf("Explain(%v) = %v, want it with %q", err, got, want)
		}
	}
	other := errors.New("other")
	if got := connect.Explain(nil); got != nil {
		t.Errorf("Explain(nil) = %v", got)
	}
	if got := connect.Explain(other); got != other {
		t.Errorf("Explain(other) = %v", got)
	}
}
