package sim

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxBody is the greatest request a system takes, in bytes.
const maxBody = 1 << 20

// System is one simulated system: a listener, a token, faults, and a count of what it did.
type System struct {
	name  string
	token string
	skew  time.Duration // its clock against the world's
	base  time.Duration // how long it takes to answer on a good day, real time
	now   func() time.Time
	scale func(time.Duration) time.Duration
	mux   *http.ServeMux
	http  *http.Server
	addr  string // where it listens
	url   string
	up    chan struct{} // told when the listener is open again
	count func() map[string]map[string]int

	mu       sync.Mutex // all below, and the state of the system built on it
	listener net.Listener
	conns    map[net.Conn]struct{}
	faults   faults
	effects  map[string]map[string]int
	calls    map[string]int
	keys     map[string]keyed
}

func (w *World) newSystem(name string) (*System, error) {
	r := w.rand("system/" + name)
	s := &System{
		name: name, token: "tok_" + hex.EncodeToString(w.bytes("token/"+name, 12)),
		skew: time.Duration(float64(time.Duration(r.IntN(180)-90)*time.Second) * w.cfg.Scale), // up to a minute and a half off
		base: w.scaled(time.Duration(20+r.IntN(180)) * time.Millisecond),
		now:  w.cfg.Now, scale: w.scaled, mux: http.NewServeMux(), up: make(chan struct{}, 1),
		conns: map[net.Conn]struct{}{}, effects: map[string]map[string]int{}, calls: map[string]int{}, keys: map[string]keyed{},
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(w.cfg.Host, strconv.Itoa(w.cfg.Ports[name])))
	if err != nil {
		return nil, fmt.Errorf("simulate %s: %w", name, err)
	}
	s.listener, s.addr = ln, ln.Addr().String()
	s.url = fmt.Sprintf("http://%s:%d", w.cfg.Name, ln.Addr().(*net.TCPAddr).Port)
	s.http = &http.Server{Handler: s.mux, ReadHeaderTimeout: 10 * time.Second, ConnState: s.track}
	return s, nil
}

// Name is the system's name.
func (s *System) Name() string { return s.name }

// URL is the system's base URL, without a slash at the end.
func (s *System) URL() string { return s.url }

// Effects is what the system really did: order (customer in the CRM) to operation to how often. The caller owns the map.
func (s *System) Effects() map[string]map[string]int {
	if s.count != nil {
		return s.count()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]map[string]int, len(s.effects))
	for order, ops := range s.effects {
		out[order] = maps.Clone(ops)
	}
	return out
}

// Calls counts the requests that reached the system, by the code of its answer ("201") or "reset" for an answer it lost;
// "too late" counts again those of them whose caller had gone before the answer.
func (s *System) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// Fault puts a fault in force, or ends all with Off. It returns when the next request will meet it.
func (s *System) Fault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.faults.down
	f(&s.faults)
	switch {
	case s.faults.down && !was && s.listener != nil:
		_ = s.listener.Close() // an error here means that it is closed
		s.listener = nil
		for c := range s.conns {
			_ = c.Close()
		}
	case !s.faults.down && was:
		s.reopen()
	}
}

// reopen listens on the old address again; serve tries on when another process has the port for the moment.
func (s *System) reopen() {
	if ln, err := net.Listen("tcp", s.addr); err == nil {
		s.listener = ln
	}
	select {
	case s.up <- struct{}{}:
	default:
	}
}

// serve answers requests until ctx ends, through closings and openings of the listener.
func (s *System) serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.http.Close() })
	defer stop()
	for {
		s.mu.Lock()
		ln, down := s.listener, s.faults.down
		s.mu.Unlock()
		if ln != nil {
			if err := s.http.Serve(ln); errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			s.mu.Lock()
			if s.listener == ln { // it broke by itself
				s.listener = nil
			}
			s.mu.Unlock()
		} else if !down { // the port was taken when it should have opened
			s.mu.Lock()
			s.reopen()
			s.mu.Unlock()
		}
		again := time.NewTimer(20 * time.Millisecond)
		select {
		case <-ctx.Done():
			again.Stop()
			return nil
		case <-s.up:
			again.Stop()
		case <-again.C:
		}
	}
}

// track knows the open connections, for Down.
func (s *System) track(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.conns[c] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		delete(s.conns, c)
	}
}

// route serves a pattern ("POST /v1/cases") with a handler behind authentication and faults.
func (s *System) route(pattern string, h handler) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			s.write(w, problem(http.StatusBadRequest, "unreadable body: %v", err))
			return
		}
		s.mu.Lock()
		ans, lost, wait, after := s.answer(pattern, r, body, h)
		if lost {
			s.calls["reset"]++
		} else {
			s.calls[fmt.Sprint(ans.status)]++
		}
		s.mu.Unlock()
		if !pause(r.Context(), wait) {
			s.mu.Lock()
			s.calls["too late"]++
			s.mu.Unlock()
			return
		}
		if lost {
			reset(w)
			return
		}
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		s.write(w, ans)
	})
}

// answer runs the handler as far as the faults let it. The lock is held.
func (s *System) answer(pattern string, r *http.Request, body []byte, h handler) (ans answer, lost bool, wait time.Duration, retryAfter string) {
	f := &s.faults
	writes := r.Method != http.MethodGet
	wait = s.base
	if f.latency > 0 {
		wait += s.scale(f.latency)
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if s.name == "shop" && token == "" {
		token = r.Header.Get("X-Shopify-Access-Token")
	}
	switch {
	case f.keyDisabled && token == s.token:
		return problem(http.StatusUnauthorized, "this API key is disabled"), false, wait, ""
	case token != s.token:
		return problem(http.StatusUnauthorized, "no such API key"), false, wait, ""
	case f.unavailable:
		return problem(http.StatusServiceUnavailable, "down for maintenance"), false, wait, f.retryAfter
	case f.limit != nil && !f.limit.Allow():
		return problem(http.StatusTooManyRequests, "too many requests"), false, 0, "1"
	case f.silent && writes:
		return answer{http.StatusOK, map[string]string{"status": "ok"}}, false, wait, ""
	}
	ans = h(r, body)
	if code, ok := f.statuses[pattern]; ok && ans.status < 300 {
		ans.status = code
	}
	if writes && f.loseEvery > 0 {
		f.requests++
		lost = f.requests%f.loseEvery == 0
	}
	return ans, lost, wait, ""
}

// effect counts something done. The lock is held.
func (s *System) effect(order, operation string) {
	if s.effects[order] == nil {
		s.effects[order] = map[string]int{}
	}
	s.effects[order][operation]++
}

// clock is the system's own time, in the text form of its call-backs.
func (s *System) clock() string { return s.now().Add(s.skew).UTC().Format(stamp) }

// stamp is RFC 3339 with microseconds.
const stamp = "2006-01-02T15:04:05.000000Z07:00"
