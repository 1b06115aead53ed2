package consumers_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/schemas/sealing"
	"github.com/binaryandbeyond/seam/topology"
)

// sealed gives the bench and its worker keys of personal data; the worker has a serde of its own, as another process has.
func (b *bench) sealed() (ring, workers *sealing.Ring, worker func(*consumers.Config)) {
	b.Helper()
	open := func(serde *schemas.Serde) *sealing.Ring {
		r, err := sealing.Open(b.Context(), sealing.Config{Options: []kgo.Opt{kgo.SeedBrokers(b.kafka.Brokers...)}, Topic: b.topo.TopicName(topology.TopicKeys), Serde: serde})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(r.Close)
		serde.SealWith(r)
		return r
	}
	serde := schemas.NewSerde(b.kafka.RegistryClient(b.T))
	workers = open(serde)
	return open(b.serde), workers, func(c *consumers.Config) { c.Serde = serde }
}

// of is an event with something personal in it.
func of(id string, et schemas.EventType, order string, version int) *schemas.Event {
	ev := event(id, et, order, version)
	ev.Order.Email, ev.Order.Note = "ada@example.org", "Ada wants it wrapped"
	return ev
}

// TestErasedIsNotDelivered: what was erased before it was read, while it waited for its call, and while it was parked. The
// worker starts without any key at hand, and reads on where the first is made.
func TestErasedIsNotDelivered(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	ring, workers, worker := b.sealed()
	down := make(chan struct{})
	var arrived = make(chan struct{}, 100)
	b.down.answer = func(_ int, r *http.Request) (int, http.Header, bool) {
		arrived <- struct{}{}
		select {
		case <-down:
			return 201, nil, true
		default:
			return 503, nil, false
		}
	}
	b.start(worker)
	b.publish(of("a1", schemas.OrderCreated, "A", 1), of("b1", schemas.OrderCreated, "B", 1)) // makes the root: unknown to the worker
	<-arrived                                                                                 // they wait for another try
	if _, err := ring.Erase(t.Context(), "orders/A", "orders/C"); err != nil {
		t.Fatal(err)
	}
	if err := workers.Learn(t.Context()); err != nil { // another process knows of it as soon as it has read on
		t.Fatal(err)
	}
	late := of("c1", schemas.OrderCreated, "C", 1)
	b.publish(late, event("a2", schemas.OrderUpdated, "A", 2)) // of C only what is not personal is taken; of A nothing is
	close(down)
	got := kinds(b.wait(4))
	slices.Sort(got)
	if want := []string{"a1=withheld/erased", "a2=delivered", "b1=delivered", "c1=delivered"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestErasedBeforeItIsRead: nothing can be told of it, and where a call may have been made a person must know.
func TestErasedBeforeItIsRead(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.ReplaceAll(keyed, "remembers: 24h}", "remembers: 24h}\nbreaker: {of: 1000}"))
	ring, _, worker := b.sealed()
	arrived := make(chan struct{}, 100)
	b.down.answer = func(_ int, r *http.Request) (int, http.Header, bool) {
		arrived <- struct{}{}
		return 0, nil, true // the effect is made, the answer lost
	}
	stop := b.start(worker)
	b.publish(of("a1", schemas.OrderCreated, "A", 1))
	<-arrived
	stop() // with an intent whose call may have had its effect
	b.publish(of("b1", schemas.OrderCreated, "B", 1), of("b2", schemas.OrderUpdated, "B", 2))
	if _, err := ring.Erase(t.Context(), "orders/A", "orders/B"); err != nil {
		t.Fatal(err)
	}
	b.down.mu.Lock()
	b.down.answer = nil
	b.down.mu.Unlock()
	calls := b.down.count()
	b.start(worker)
	got := kinds(b.wait(3))
	slices.Sort(got)
	if want := []string{"a1=parked/unknown", "b1=withheld/erased", "b2=withheld/erased"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if n := b.down.count(); n != calls {
		t.Errorf("%d calls were made after the erasure", n-calls)
	}
}

// TestAnswersAreMasked: what a downstream says may repeat what it was told.
func TestAnswersAreMasked(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	b.down.answer = func(_ int, _ *http.Request) (int, http.Header, bool) { return 422, nil, false }
	b.down.says = `{"error":"Ada wants it wrapped, says ada@example.org and eve@example.org: call +43 1 5550000, \u00c4da"}`
	b.start()
	ev := of("a1", schemas.OrderCreated, "A", 1)
	ev.Order.ShippingAddress = &schemas.Address{Name: "Äda"}
	b.publish(ev)
	o := b.wait(1)[0]
	for _, text := range append([]string{o.Detail}, o.Attempts[0].Detail) {
		for _, personal := range []string{"Ada", "ada@", "eve@", "5550000", "00c4da"} {
			if strings.Contains(text, personal) {
				t.Errorf("%q holds %q", text, personal)
			}
		}
		if !strings.Contains(text, "error") {
			t.Errorf("%q tells nothing", text)
		}
	}
}

// newTelling is a bench whose downstream is told an order's email, sealed until then; told is what it was told.
func newTelling(t *testing.T) (b *bench, workers *sealing.Ring, worker func(*consumers.Config), told chan string) {
	t.Helper()
	b = newOwnedBench(t, "order.email: {owner: shop, page: ops}"+ownership, strings.ReplaceAll(keyed, "{reference: event.id}", "{reference: event.id, to: order.email}"))
	_, workers, worker = b.sealed()
	told = make(chan string, 1)
	b.down.read = func(body []byte) { told <- string(body) }
	return b, workers, worker, told
}

// opener counts what is opened.
type opener struct {
	schemas.Sealer
	opened atomic.Int32
}

func (o *opener) Open(subject string, id schemas.EventID, sealed []byte) ([]byte, error) {
	o.opened.Add(1)
	return o.Sealer.Open(subject, id, sealed)
}

// TestOnlyWhatIsToldIsOpened: whose event it is, which of its fields may be sent, and that it came before is decided without
// what is personal of it.
func TestOnlyWhatIsToldIsOpened(t *testing.T) {
	t.Parallel()
	b, workers, worker, told := newTelling(t)
	counted := &opener{Sealer: workers}
	b.start(worker, func(c *consumers.Config) { c.Serde.SealWith(counted) })
	foreign := of("a1", schemas.OrderUpdated, "A", 1)
	foreign.System = "erp" // which owns nothing of it
	b.publish(foreign, of("a2", schemas.OrderUpdated, "A", 2), of("a2", schemas.OrderUpdated, "A", 2))
	outcomes := b.wait(3)
	if got, want := kinds(outcomes), []string{"a1=withheld/not_owner", "a2=delivered", "a2=duplicate/same_event"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if withheld := outcomes[0].WithheldFields; !slices.Contains(withheld, "order.email") {
		t.Errorf("withheld are %v, of which order.email is one", withheld)
	}
	if n := counted.opened.Load(); n != 1 {
		t.Errorf("%d events were opened, and one was told", n)
	}
	if body := <-told; !strings.Contains(body, "ada@example.org") {
		t.Errorf("the downstream was told %s", body)
	}
}

// unread is keys that nobody has read yet: nothing opens before Learn.
type unread struct {
	schemas.Sealer
	learned atomic.Bool
}

func (u *unread) Open(subject string, id schemas.EventID, sealed []byte) ([]byte, error) {
	if !u.learned.Load() {
		return nil, schemas.ErrNoKey
	}
	return u.Sealer.Open(subject, id, sealed)
}

func (u *unread) Learn(ctx context.Context) error {
	err := u.Sealer.Learn(ctx)
	if err == nil {
		u.learned.Store(true)
	}
	return err
}

// TestWhatWaitedForItsKeyIsToldWhole: the first event under keys that the worker has to read is opened beside all else.
func TestWhatWaitedForItsKeyIsToldWhole(t *testing.T) {
	t.Parallel()
	b, workers, worker, told := newTelling(t)
	b.start(worker, func(c *consumers.Config) { c.Serde.SealWith(&unread{Sealer: workers}) })
	b.publish(of("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	if body := <-told; !strings.Contains(body, "ada@example.org") {
		t.Errorf("the downstream was told %s", body)
	}
}
