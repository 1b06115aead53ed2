package app

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/binaryandbeyond/seam/topology"
)

// TestHandshakes refuses a downstream of another environment, and starts beside one that does not answer.
func TestHandshakes(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("X-Environment", "production")
		_, _ = io.WriteString(w, `{"meta":{"env":"erp-production"}}`)
	}))
	t.Cleanup(server.Close)
	tests := []struct {
		name string
		ask  *topology.Handshake
		only []string
		want string
	}{
		{"not asked", nil, nil, ""},
		{"header", &topology.Handshake{Header: "X-Environment"}, nil, `this is environment staging, and erp at ` + server.URL + ` says that it is "production", not "staging"`},
		{"path", &topology.Handshake{JSON: "meta.env", Equals: "erp-{environment}"}, nil, `says that it is "erp-production", not "erp-staging"`},
		{"the same", &topology.Handshake{JSON: "meta.env", Equals: "erp-production"}, nil, ""},
		{"path that is not there", &topology.Handshake{JSON: "meta.env.name"}, nil, `says that it is "", not "staging"`},
		{"runs elsewhere", &topology.Handshake{Header: "X-Environment"}, []string{"edge"}, ""},
		{"does not answer", &topology.Handshake{Header: "X-Environment", Auth: topology.Auth{Bearer: "old"}}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.ask != nil {
				tt.ask.Get = server.URL
				if tt.ask.Auth.Bearer == "" {
					tt.ask.Auth.Bearer = "t"
				}
			}
			c := &Config{Logger: slog.New(slog.DiscardHandler), Only: tt.only,
				Topology: &topology.Topology{Environment: "staging", Environments: map[string]topology.Environment{"staging": {Private: []topology.PrivateNetwork{{To: "loopback"}}}}, Integrations: []topology.Integration{{Name: "erp", Environment: tt.ask}}}}
			err := c.handshakes(t.Context())
			if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("handshakes = %v, want %q", err, tt.want)
			}
		})
	}
}
