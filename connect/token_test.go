package connect_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/binaryandbeyond/seam/connect"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// provider gives tokens named token-1, token-2, ... to the client seam with the secret of want.
func provider(t *testing.T, want *atomic.Value) *httptest.Server {
	t.Helper()
	var given atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		if id != "seam" || secret != want.Load() || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "kafka read" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error": "invalid_client", "error_description": "%s is wrong"}`, secret)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": fmt.Sprintf("token-%d", given.Add(1)), "token_type": "Bearer", "expires_in": 3600})
	}))
	t.Cleanup(web.Close)
	return web
}

// TestOAuthBearer gets a token by the client-credentials grant, keeps it, and says what it is refused without the secret.
func TestOAuthBearer(t *testing.T) {
	t.Parallel()
	var want atomic.Value
	want.Store("hush")
	secret := write(t, "", "wrong-horse")
	m := mechanism(t, map[string]string{"SEAM_KAFKA_TLS": "true", "SEAM_KAFKA_TOKEN_URL": provider(t, &want).URL, "SEAM_KAFKA_CLIENT_ID": "seam",
		"SEAM_KAFKA_CLIENT_SECRET_FILE": secret, "SEAM_KAFKA_SCOPE": "kafka read", "SEAM_KAFKA_EXTENSIONS": "logicalCluster=lkc-1, identityPoolId=pool-1"})
	if m.Name() != "OAUTHBEARER" {
		t.Errorf("mechanism %s", m.Name())
	}
	_, _, err := m.Authenticate(t.Context(), "broker:9093")
	if text := fmt.Sprint(err); !strings.Contains(text, "SEAM_KAFKA_TOKEN_URL answered 401 Unauthorized: invalid_client: see SEAM_KAFKA_CLIENT_ID") || strings.Contains(text, "wrong-horse") {
		t.Errorf("error = %v", err)
	}
	write(t, secret, "hush")
	for range 2 { // the second time it is the same one
		_, first, err := m.Authenticate(t.Context(), "broker:9093")
		if err != nil {
			t.Fatal(err)
		}
		if got := string(first); got != "n,,\x01auth=Bearer token-1\x01identityPoolId=pool-1\x01logicalCluster=lkc-1\x01\x01" {
			t.Errorf("first words %q", got)
		}
	}
}

// TestTokenOfAFile is read at each sign-in: somebody else renews it, as Kubernetes does those of service accounts.
func TestTokenOfAFile(t *testing.T) {
	t.Parallel()
	file := write(t, "", "one\n")
	m := mechanism(t, map[string]string{"SEAM_KAFKA_TLS": "true", "SEAM_KAFKA_TOKEN_FILE": file})
	for _, want := range []string{"one", "two"} {
		write(t, file, want)
		if _, first, err := m.Authenticate(t.Context(), "broker:9093"); err != nil || !strings.Contains(string(first), "Bearer "+want+"\x01") {
			t.Errorf("first words %q, %v, want the token %s", first, err, want)
		}
	}
}

// TestTokenIsRenewed before it ends: at four fifths of its life, and not while more is left; a short one with ten seconds left.
func TestTokenIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		given, life := 0, 10*time.Minute
		current := connect.Tokens(func() (*oauth2.Token, error) {
			given++
			return &oauth2.Token{AccessToken: fmt.Sprintf("token-%d", given), Expiry: time.Now().Add(life)}, nil
		})
		for _, tt := range []struct {
			after time.Duration
			life  time.Duration // of the next one
			want  string
		}{{0, 10 * time.Minute, "token-1"}, {8*time.Minute - time.Second, 10 * time.Minute, "token-1"}, {time.Second, 10 * time.Minute, "token-2"}, {7 * time.Minute, 10 * time.Minute, "token-2"},
			{2 * time.Minute, 20 * time.Second, "token-3"}, {9 * time.Second, 20 * time.Second, "token-3"}, {time.Second, 5 * time.Second, "token-4"}, {0, 5 * time.Second, "token-5"}} {
			life = tt.life
			<-time.After(tt.after)
			if got, err := current(t.Context()); err != nil || got != tt.want {
				t.Errorf("after another %v: %s, %v, want %s", tt.after, got, err, tt.want)
			}
		}
	})
}
