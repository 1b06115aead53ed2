package producers

import (
	"net/http"
	"testing"
	"time"
)

func TestPreferred(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]time.Duration{
		"": 0, "wait=5": 5 * time.Second, "respond-async, wait=5": 5 * time.Second, `Wait="7"`: 7 * time.Second, "wait = 2 ; x": 2 * time.Second,
		"wait": 0, "wait=-1": 0, "wait=0": 0, "wait=1.5": 0, "await=5": 0, "wait=99999999": time.Hour, "return=minimal": 0,
	} {
		if got := preferred(http.Header{"Prefer": {line}}); got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
	if got := preferred(http.Header{"Prefer": {"return=minimal", "wait=3"}}); got != 3*time.Second {
		t.Errorf("of two lines: %s", got)
	}
}
