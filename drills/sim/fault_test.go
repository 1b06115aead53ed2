package sim

import (
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	const path = "/v1/cases"
	const body = `{"order_id":"A1","kind":"k","text":"x"}`
	tests := []struct {
		name    string
		fault   Fault
		status  int // 0: no answer
		effects int
	}{
		{"healthy", Off(), 201, 1},
		{"down", Down(), 0, 0},
		{"key disabled", KeyDisabled(), 401, 0},
		{"unavailable", Unavailable("2"), 503, 0},
		{"a changed code, the work is done", Status("POST", path, 299), 299, 1},
		{"another route's code", Status("POST", "/other", 299), 201, 1},
		{"lost answer, the work is done", LoseAnswer(1), 0, 1},
		{"every second answer lost", LoseAnswer(2), 201, 1},
		{"silent", Silent200(), 200, 0},
		{"slow, the work is done", Latency(time.Minute), 201, 1},
		{"no calls left", RateLimit(0), 429, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := run(t, "")
			s := w.System("support")
			s.Fault(tt.fault)
			status, text, err := call(t, w, "support", "POST", path, "", body)
			if status != tt.status || (err != nil) != (tt.status == 0) {
				t.Errorf("status %d %q, %v; want %d", status, text, err, tt.status)
			}
			if got := s.Effects()["A1"]["k"]; got != tt.effects {
				t.Errorf("effects = %d, want %d", got, tt.effects)
			}
			s.Fault(Off())
			want(t, w, "support", "POST", path, "", body, 201)
		})
	}
}

func TestDownRefuses(t *testing.T) {
	t.Parallel()
	w := run(t, "")
	w.System("tax").Fault(Down())
	_, _, err := call(t, w, "tax", "POST", "/v1/transactions", "k", "{}")
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("err = %v, want connection refused", err)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	w := run(t, "")
	resp, err := http.Post(w.System("crm").URL()+"/v1/contacts/C1", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 405 {
		t.Errorf("POST = %d, want 405", resp.StatusCode)
	}
	req, err := http.NewRequestWithContext(t.Context(), "PUT", w.System("crm").URL()+"/v1/contacts/C1", strings.NewReader(`{"email":"a@example.com"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err = http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 401 || len(w.System("crm").Effects()) != 0 {
		t.Errorf("without a token = %d, effects %v", resp.StatusCode, w.System("crm").Effects())
	}
}
