package connect_test

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/connect"
	"github.com/binaryandbeyond/seam/schemas"
)

// TestRegistrySignsIn over TLS with a client's certificate, by a password or a token, with what the platform asks for beside them.
func TestRegistrySignsIn(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	_, _, pair := ca.issue("registry")
	cert, key, _ := ca.issue("seam")
	memory := schemas.NewMemoryRegistry()
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case user == "reader":
			http.Error(w, `{"error_code": 40301, "message": "no"}`, http.StatusForbidden)
		case user+":"+password != "seam:hush" && r.Header.Get("Authorization") != "Bearer token-1":
			http.Error(w, `{"error_code": 40101, "message": "who?"}`, http.StatusUnauthorized)
		case r.Header.Get("Target-Sr-Cluster") != "lsrc-1":
			http.Error(w, `{"error_code": 400, "message": "which?"}`, http.StatusBadRequest)
		default:
			memory.ServeHTTP(w, r)
		}
	}))
	web.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool()}
	web.StartTLS()
	t.Cleanup(web.Close)
	var secret atomic.Value
	secret.Store("hush")
	idp := provider(t, &secret)

	base := map[string]string{"CA": ca.file(), "CERT": cert, "KEY": key, "HEADERS": "target-sr-cluster=lsrc-1"}
	for _, tt := range []struct {
		name  string
		add   map[string]string
		leave string
		want  string
	}{
		{"password", map[string]string{"USER": "seam", "PASSWORD": "hush"}, "", ""},
		{"token", map[string]string{"TOKEN": "token-1"}, "", ""},
		{"token of a grant", map[string]string{"TOKEN_URL": idp.URL, "CLIENT_ID": "seam", "CLIENT_SECRET": "hush", "SCOPE": "kafka read"}, "", ""},
		{"wrong password", map[string]string{"USER": "seam", "PASSWORD": "wrong-horse"}, "", "the registry does not know us: see SEAM_REGISTRY_USER"},
		{"who may not", map[string]string{"USER": "reader", "PASSWORD": "hush"}, "", "the registry does not let us"},
		{"no header", map[string]string{"USER": "seam", "PASSWORD": "hush"}, "HEADERS", "which?"},
		{"no certificate", map[string]string{"USER": "seam", "PASSWORD": "hush"}, "CERT KEY", "see SEAM_REGISTRY_CERT and SEAM_REGISTRY_KEY"},
		{"unknown authority", map[string]string{"USER": "seam", "PASSWORD": "hush", "TLS": "true"}, "CA", "set SEAM_REGISTRY_CA to the PEM file"},
	} {
		set := map[string]string{}
		for _, part := range []map[string]string{base, tt.add} {
			for k, v := range part {
				set["SEAM_REGISTRY_"+k] = v
			}
		}
		maps.DeleteFunc(set, func(k, _ string) bool {
			for leave := range strings.FieldsSeq(tt.leave) {
				if k == "SEAM_REGISTRY_"+leave {
					return true
				}
			}
			return false
		})
		err := subjects(t, web.URL, set)
		if tt.want == "" && err != nil || tt.want != "" && !strings.Contains(fmt.Sprint(err), tt.want) || strings.Contains(fmt.Sprint(err), "wrong-horse") {
			t.Errorf("%s: error = %v, want %q", tt.name, err, tt.want)
		}
	}
	if err := subjects(t, "http://registry.example", map[string]string{"SEAM_REGISTRY_USER": "seam", "SEAM_REGISTRY_PASSWORD": "hush"}); !strings.Contains(fmt.Sprint(err), "it would be sent what opens it as it is: use https") {
		t.Errorf("in the open: %v", err)
	}
}

// subjects asks a registry something.
func subjects(t *testing.T, url string, set map[string]string) error {
	t.Helper()
	opts, err := connect.Registry(vars(set))
	if err != nil {
		t.Fatal(err)
	}
	client, err := sr.NewClient(append(opts, sr.URLs(url))...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Subjects(t.Context())
	return connect.Explain(err)
}
