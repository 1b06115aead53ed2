package consumers

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// logged is a downstream that keeps when each call began and when its context ended, and answers after a time.
type logged struct {
	takes time.Duration
	mu    sync.Mutex
	began []time.Time
	cut   []time.Time
}

// Deliver makes one call.
func (k *logged) Deliver(ctx context.Context, _ deliver.Request) deliver.Result {
	k.mu.Lock()
	k.began = append(k.began, time.Now())
	k.mu.Unlock()
	timer := time.NewTimer(k.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
		return deliver.Result{Class: deliver.Delivered, Status: 200}
	case <-ctx.Done():
		k.mu.Lock()
		defer k.mu.Unlock()
		k.cut = append(k.cut, time.Now())
		return deliver.Result{Class: deliver.Unknown}
	}
}

func (*logged) Read(context.Context, deliver.Request, string) deliver.Result {
	return deliver.Result{Class: deliver.Contract}
}

// Probe knows nothing.
func (k *logged) Probe(context.Context, deliver.Request) deliver.Result {
	return deliver.Result{Class: deliver.Unknown}
}

// count counts times from after a moment on.
func (k *logged) count(list *[]time.Time, after time.Time) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for _, at := range *list {
		if at.After(after) {
			n++
		}
	}
	return n
}

// frozenRun gives many orders to a worker that calls the logged downstream at most twice a second, and cuts the worker off
// from Kafka, though not from its downstream.
func frozenRun(t *testing.T, k *logged, timeout time.Duration) (at time.Time, end func()) {
	s, ctx, end := newSim(t, 1)
	in := s.topo.Integration("upsert")
	in.Rate.Limit, in.Timeout = 2, topology.Duration(timeout)
	for n := range 200 {
		ev := s.order(fmt.Sprint("o", n), 0, false, false)[0]
		value, err := s.serde.EncodeEvent(ctx, "orders-value", ev)
		s.must(err)
		s.must(s.client.ProduceSync(ctx, &kgo.Record{Topic: "orders", Key: []byte(ev.Subject), Value: value, Headers: schemas.EventHeaders(ev, "")}).FirstErr())
	}
	p := s.proc(in)
	s.run(p, k)
	pause(ctx, 5*time.Second)
	p.wire.freeze(time.Minute)
	at = time.Now()
	pause(ctx, 50*time.Second)
	return at, end
}

// TestCutOffWorkerStartsNoCall: its session ends at the broker 12 s after its last heartbeat, and from then on its orders
// are a successor's; it must stop before.
func TestCutOffWorkerStartsNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &logged{takes: 10 * time.Millisecond}
		at, end := frozenRun(t, k, 5*time.Second)
		defer end()
		if n := k.count(&k.began, at); n < 10 {
			t.Errorf("%d calls within the lease: the test shows nothing", n)
		}
		if n := k.count(&k.began, at.Add(9*time.Second)); n != 0 {
			t.Errorf("%d calls after the lease had run out", n)
		}
	})
}

// TestLease lasts three quarters of a session from when a heartbeat was sent, and one that was sent before the lease was
// revoked does not bring it back.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lease{session: 12 * time.Second}
		if l.left() > 0 {
			t.Errorf("%s are left before the first heartbeat", l.left())
		}
		_, revoked := l.state()
		l.extend(time.Now().Add(-2*time.Second), revoked)
		if got := l.left(); got != 7*time.Second {
			t.Errorf("%s are left 2s after the heartbeat was sent, want 7s", got)
		}
		l.revoke()
		l.extend(time.Now(), revoked)
		if l.left() > 0 {
			t.Errorf("%s are left after it was revoked", l.left())
		}
	})
}

// TestCutCallsSpareWhatComesAfter: the session may have outlived the silence, and then the partition's next calls are its own.
func TestCutCallsSpareWhatComesAfter(t *testing.T) {
	t.Parallel()
	calls, cancel := context.WithCancel(t.Context())
	p := &partition{ctx: calls, cancel: cancel, calls: map[*item]time.Time{{}: {}}}
	e := &engine{Config: Config{Session: 12 * time.Second}, ctx: t.Context(), lease: &lease{session: 12 * time.Second}, parts: map[topicPartition]*partition{{"orders", 0}: p}}
	e.cutCalls()
	if calls.Err() == nil {
		t.Error("a call goes on after the session")
	}
	if err := p.ctx.Err(); err != nil {
		t.Errorf("the next call is cut before it is made: %v", err)
	}
	p.cancel()
}

// TestCutOffWorkerEndsItsCalls: a call that takes long is not let go on beside the successor's.
func TestCutOffWorkerEndsItsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &logged{takes: 40 * time.Second}
		at, end := frozenRun(t, k, time.Minute)
		defer end()
		k.mu.Lock()
		began := len(k.began)
		k.mu.Unlock()
		if n := k.count(&k.cut, at); n == 0 || n != began {
			t.Errorf("%d of %d calls were ended", n, began)
		}
		if n := k.count(&k.cut, at.Add(12*time.Second+100*time.Millisecond)); n != 0 {
			t.Errorf("%d calls outlived the session", n)
		}
	})
}
