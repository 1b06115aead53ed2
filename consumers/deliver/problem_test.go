package deliver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestProblemTypeDecidesBeforeTheStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, media, body string
		want              Class
	}{
		{"declared", "application/problem+json", `{"type":"https://wh.example/already-packed","title":"no"}`, AlreadyDone},
		{"declared, with a charset", "application/problem+json; charset=utf-8", `{"type":"https://wh.example/busy"}`, Retry},
		{"another", "application/problem+json", `{"type":"about:blank","title":"already packed"}`, Rejected},
		{"not a problem document", "application/json", `{"type":"https://wh.example/already-packed"}`, Rejected},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.media)
				w.WriteHeader(http.StatusUnprocessableEntity)
				fmt.Fprint(w, tt.body)
			}))
			t.Cleanup(server.Close)
			in := load(t, server.URL, strings.Replace(keyed, "reference: data.id", `reference: data.id, problems: {"https://wh.example/already-packed": already_done, "https://wh.example/busy": retry}`, 1))
			set, err := New(in, local)
			if err != nil {
				t.Fatal(err)
			}
			if got := set.Deliver(t.Context(), request(t, in)).Class; got != tt.want {
				t.Errorf("class %s, want %s", got, tt.want)
			}
		})
	}
}
