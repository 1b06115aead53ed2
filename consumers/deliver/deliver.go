package deliver

import (
	"context"
	"time"

	"github.com/binaryandbeyond/seam/contract"
	"github.com/binaryandbeyond/seam/outbound"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Class is what an attempt tells about the effect in the downstream.
type Class string

// The classes. Every switch over them is complete.
const (
	Delivered   Class = "delivered"    // the effect is there
	AlreadyDone Class = "already_done" // the effect was there before
	Rejected    Class = "rejected"     // the business said no: no effect, and a repetition would say no again
	Retry       Class = "retry"        // certainly no effect; later may go better
	Unknown     Class = "unknown"      // the effect may or may not be there
	Credentials Class = "credentials"  // 401 or 403: no effect, and none will come before somebody mends the key
	Barred      Class = "barred"       // ours keeps it in: where it may not go, or settings that cannot be used. Nothing was sent
	Contract    Class = "contract"     // an answer the integration does not declare: what it means is not known
	Unmappable  Class = "unmappable"   // the event does not fill the request: nothing was sent
)

// Classes lists every class.
var Classes = []Class{Delivered, AlreadyDone, Rejected, Retry, Unknown, Credentials, Barred, Contract, Unmappable}

// Request is one attempt.
type Request struct {
	Event     *schemas.Event // less the fields that may not be written
	Whole     *schemas.Event // with what is withheld: nothing of it that is personal is kept of an answer. Default Event
	Route     *topology.Route
	Facts     *topology.FactSet // that the body may name; nil for none
	Key       string            // idempotency key, the same at every attempt
	Attempt   int               // from 1
	Topic     string            // where the event was read
	Partition int32
	// TraceParent is the W3C context to send on; empty for none.
	TraceParent string
	// TraceState goes with it where it is one that a header may hold.
	TraceState string
	// Answers watches what the route is answered; nil for nobody.
	Answers *contract.Subject
	// SendBy is when the request must have left: later its partition may be another's. Zero: no bound.
	SendBy time.Time
}

// Result is what came of one attempt.
type Result struct {
	Class      Class
	Status     int    // HTTP status; 0 when no answer came or none is spoken
	Detail     string // an excerpt of the answer or the transport's error: at most 300 bytes, no secret
	Reference  string // the downstream's id of what it made, where Answers.Reference finds one
	RetryAfter time.Duration
	Took       time.Duration
	Body       []byte // of a Read that found something: at most 64 KiB
}

// Kind delivers to one sort of downstream. It is safe for concurrent use.
type Kind interface {
	// Deliver makes one attempt; it ends by ctx's deadline.
	Deliver(ctx context.Context, r Request) Result
	// Probe asks whether the request's effect is there: AlreadyDone if it is, Retry if it is not, Unknown if that cannot be
	// told now. A kind whose integration declares no probe answers Unknown.
	Probe(ctx context.Context, r Request) Result
	// Read gets what stands at an address: AlreadyDone with its Body if there is something, Rejected if there is nothing (404,
	// 410), Credentials, or Retry where that cannot be told now. It has no effect. A kind that cannot be read answers Contract.
	Read(ctx context.Context, r Request, address string) Result
}

// kinds is every way to deliver, by the key a route declares it with.
var kinds = map[string]func(*topology.Integration, *outbound.Guard) (Kind, error){
	"http": func(in *topology.Integration, g *outbound.Guard) (Kind, error) { return newHTTP(in, g) },
	"file": func(*topology.Integration, *outbound.Guard) (Kind, error) { return newFile(), nil },
}

// KindOf is the table's key for a route.
func KindOf(r *topology.Route) string {
	if r.File != nil {
		return "file"
	}
	return "http"
}

// Set is every kind one integration needs, by key.
type Set map[string]Kind

// New builds the kinds an integration's routes need, whose calls go where the guard lets them. Its errors are faults of the topology
// that Load would have named.
func New(in *topology.Integration, guard *outbound.Guard) (Set, error) {
	set := Set{}
	for i := range in.Deliver {
		key := KindOf(&in.Deliver[i])
		if set[key] != nil {
			continue
		}
		k, err := kinds[key](in, guard)
		if err != nil {
			return nil, err
		}
		set[key] = k
	}
	return set, nil
}

// Deliver makes one attempt by the kind of the request's route.
func (s Set) Deliver(ctx context.Context, r Request) Result {
	start := time.Now()
	res := s[KindOf(r.Route)].Deliver(ctx, r)
	res.Took = time.Since(start)
	return res
}

// Read reads by the kind of the request's route.
func (s Set) Read(ctx context.Context, r Request, address string) Result {
	start := time.Now()
	res := s[KindOf(r.Route)].Read(ctx, r, address)
	res.Took = time.Since(start)
	return res
}

// Probe asks by the kind of the request's route.
func (s Set) Probe(ctx context.Context, r Request) Result {
	start := time.Now()
	res := s[KindOf(r.Route)].Probe(ctx, r)
	res.Took = time.Since(start)
	return res
}
