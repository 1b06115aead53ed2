package sim

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"
)

// keyed is what the system remembers of an idempotency key.
type keyed struct {
	sum string // of the request
	ans answer
}

// answer is what a handler says; body nil is an empty body.
type answer struct {
	status int
	body   any
}

// handler does the work of one request under the system's lock.
type handler func(r *http.Request, body []byte) answer

// once does the work of an idempotency key the first time and gives the saved answer after that; the key is required, and
// another body under it is 422. Refusals are not saved: their key may be used again.
func (s *System) once(r *http.Request, body []byte, do func() answer) answer {
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		return problem(http.StatusBadRequest, "the header Idempotency-Key is missing")
	}
	sum := sha256.Sum256(append([]byte(r.Method+" "+r.URL.Path+"\n"), body...))
	if k, ok := s.keys[key]; ok {
		if k.sum != string(sum[:]) {
			return problem(http.StatusUnprocessableEntity, "the key %s was used with another request", key)
		}
		return k.ans
	}
	ans := do()
	if ans.status < 300 {
		s.keys[key] = keyed{string(sum[:]), ans}
	}
	return ans
}

func (s *System) write(w http.ResponseWriter, ans answer) {
	kind := "application/json"
	if ans.status >= 400 {
		kind = "application/problem+json"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(ans.status)
	if ans.body != nil {
		_ = json.NewEncoder(w).Encode(ans.body) // the caller is gone: nobody to tell
	}
}

// problem is an RFC 9457 answer.
func problem(status int, format string, args ...any) answer {
	return answer{status, map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": fmt.Sprintf(format, args...)}}
}

// decode reads a JSON body into v; what is no JSON or of another shape is 400. ok is false then. Unknown members are
// ignored, as most APIs do.
func decode(body []byte, v any) (answer, bool) {
	if err := json.Unmarshal(body, v); err != nil {
		return problem(http.StatusBadRequest, "bad body: %v", err), false
	}
	return answer{}, true
}

// reset cuts the connection with a TCP reset, so that the caller sees no answer at all.
func reset(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2: cut the stream instead
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// pause waits for d; false when ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
