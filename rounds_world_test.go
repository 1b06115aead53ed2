package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// mood is how a downstream behaves for a while.
type mood string

// The moods. A downstream without one is well.
const (
	slow  mood = "slow downstream"  // the effect is made, the answer takes up to twice the timeout
	down  mood = "503 downstream"   // no effect
	lying mood = "lying downstream" // the effect is made; half of the answers are lost, or are 502
	busy  mood = "429 downstream"   // no effect, with Retry-After, for half of the calls
)

// callTimeout is what Seam waits for an answer at the rounds' time scale: the least that the scale leaves.
const callTimeout = 300 * time.Millisecond

// systems are the downstreams with an API; the ninth, export, is files.
var systems = []string{"analytics", "erp", "warehouse", "tax", "fraud", "support", "enrichment", "crm"}

// call is one request as the downstream saw it, or one row of the export.
type call struct {
	at      time.Time
	system  string // the integration's name
	op      string // what was asked for: "fulfill", "refund/<id>"
	subject string // order, customer or item
	key     string // Idempotency-Key; empty where the system knows none
	event   schemas.EventID
	version string // of the state, where the request says one
	effect  bool   // the call changed something
	answer  string
	from    string // the connection it came on, and which attempt it says it is
}

// world is every downstream at once, and what each really did. A system honours what its integration declares of it: keys,
// our ids, a probe, or nothing.
type world struct {
	url   string
	tally *tally

	mu     sync.Mutex
	rng    *rand.Rand
	moods  map[string]mood
	keys   map[string]string // system and key, or system and path of an upsert, to the body that is in force
	calls  []call
	packed map[string]bool // orders that the warehouse has a record of
}

func newWorld(t *testing.T, seed int, tl *tally) *world {
	w := &world{tally: tl, rng: rand.New(rand.NewPCG(uint64(seed), 3)), moods: map[string]mood{}, keys: map[string]string{}, packed: map[string]bool{}}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// env is what the topology needs to find the downstreams.
func (w *world) env() map[string]string {
	out := map[string]string{}
	for _, s := range systems {
		out[strings.ToUpper(s)+"_URL"], out[strings.ToUpper(s)+"_TOKEN"] = w.url+"/"+s, "token-of-"+s
	}
	return out
}

// feel puts systems into a mood; an empty one makes them well.
func (w *world) feel(m mood, names ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		w.moods[name] = m
	}
}

// ServeHTTP answers /{system}/v1/...
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller died in the middle of it
	}
	system, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if system == "warehouse" && r.Method == http.MethodGet {
		w.readBack(rw, r.URL.Query().Get("reference"))
		return
	}
	status, wait, lost := w.handle(system, r.Method+" "+path, r.RemoteAddr, r.Header, body)
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	if lost {
		reset(rw)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	if status == http.StatusTooManyRequests {
		rw.Header().Set("Retry-After", "1")
	}
	rw.WriteHeader(status)
	fmt.Fprintf(rw, `{"id":"%s-%d"}`, system, status)
}

// readBack shows the warehouse's own record of an order. It is no call: it changes nothing, and any process may ask.
func (w *world) readBack(rw http.ResponseWriter, reference string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.moods["warehouse"] == down || w.moods["warehouse"] == busy:
		rw.WriteHeader(http.StatusServiceUnavailable)
	case !w.packed[reference]:
		rw.WriteHeader(http.StatusNotFound)
	default:
		fmt.Fprintf(rw, `{"fulfillments":[{"id":"f-%s","status":"accepted","updated_at":"2026-11-23T12:00:00Z"}]}`, reference)
	}
}

// handle makes the effect of a request as the mood allows it, and says how to answer.
func (w *world) handle(system, route, from string, head http.Header, body []byte) (status int, wait time.Duration, lost bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := call{at: time.Now(), system: system, from: from + " attempt " + head.Get("Seam-Attempt"), key: head.Get("Idempotency-Key"), event: schemas.EventID(head.Get("Seam-Event-Id"))}
	m, half := w.moods[system], w.rng.IntN(2) == 0
	switch {
	case m == down:
		status = http.StatusServiceUnavailable
	case m == busy && half:
		status = http.StatusTooManyRequests
	default:
		if status = w.do(&c, route, body); m == lying && half {
			if lost = w.rng.IntN(3) > 0; !lost {
				status = http.StatusBadGateway
			}
		}
		if m == slow {
			wait = time.Duration(w.rng.Int64N(int64(2 * callTimeout)))
		}
	}
	if m != "" && (half || m == down || m == slow) {
		w.tally.add(string(m))
		c.answer = string(m) + ": "
	}
	if c.answer += fmt.Sprint(status); lost {
		c.answer += ", lost"
	}
	w.calls = append(w.calls, c)
	return status, wait, lost
}

// request is every member that the downstreams look at.
type request struct {
	Reference string
	OrderID   string `json:"order_id"`
	RefundID  string `json:"refund_id"`
	Kind      string
	Type      string
	Subject   string
	Version   string
}

// do makes the effect of a request, if it has one, and gives its status. The lock is held.
func (w *world) do(c *call, route string, body []byte) int {
	var in request
	if len(body) > 0 && json.Unmarshal(body, &in) != nil {
		return http.StatusBadRequest
	}
	part := strings.Split(route, "/") // "PUT v1", "orders", "820...", "refunds", "820..."
	last := part[len(part)-1]
	switch c.system {
	case "warehouse":
		c.op, c.subject = map[string]string{"fulfillments": "fulfill", "cancellations": "cancel"}[last], in.Reference
	case "fraud":
		c.op, c.subject = "assess", in.OrderID
	case "tax":
		if c.op, c.subject = "transaction", in.OrderID; last == "refunds" {
			c.op, c.subject = "refund/"+in.RefundID, part[2]
		}
	case "support":
		c.op, c.subject = in.Kind, in.OrderID
	case "enrichment":
		if c.op, c.subject = "enrich", in.OrderID; strings.HasPrefix(route, "GET ") {
			c.op, c.subject = "asked", last
			if w.keys["enrichment "+last] == "" {
				return http.StatusNotFound
			}
			return http.StatusOK
		}
		w.keys["enrichment "+in.OrderID] = "enriched"
	case "erp":
		if c.op, c.subject, c.version = "order", part[2], in.Version; len(part) > 3 {
			c.op = "refund/" + last
		}
	case "crm":
		c.op, c.subject = "contact", last
	case "analytics":
		c.op, c.subject = in.Type, in.Subject
	}
	if c.op == "" || c.subject == "" {
		return http.StatusUnprocessableEntity
	}
	return w.effect(c, route, string(body))
}

// effect counts the call as one, unless the system knows it already. The lock is held.
func (w *world) effect(c *call, route, body string) int {
	switch c.system {
	case "warehouse", "fraud", "tax": // each key does its work once, and stands for one request
		if c.key == "" {
			return http.StatusBadRequest
		}
		if had, known := w.keys[c.system+" "+c.key]; known {
			if had != body {
				return http.StatusUnprocessableEntity
			}
			return http.StatusOK
		}
		w.keys[c.system+" "+c.key] = body
		if c.op == "fulfill" {
			w.packed[c.subject] = true
		}
	case "erp", "crm", "analytics": // what is said twice is written once
		had, known := w.keys[c.system+" "+route]
		if had == body {
			return http.StatusOK
		}
		w.keys[c.system+" "+route] = body
		if known && (c.op == "order" || c.op == "contact") {
			c.op = "update"
		}
	}
	c.effect = true
	return http.StatusCreated
}

// reset cuts the connection, so that the caller sees no answer at all.
func reset(rw http.ResponseWriter) {
	c, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a close without it is an answer of sorts
	}
	_ = c.Close()
}
