package sim

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// atOnce is how many due actions run at the same time; the rest wait their turn, as a sender's worker pool would.
const atOnce = 24

// schedule runs actions when they are due, earliest first. The zero value lacks its clock and wake channel.
type schedule struct {
	now  func() time.Time
	wake chan struct{}

	mu      sync.Mutex
	queue   actions
	running int
}

// action is something to do at a time.
type action struct {
	at time.Time
	do func(context.Context)
}

// after has do run once d has passed; its context ends with Run. Actions given before Run wait for it.
func (s *schedule) after(d time.Duration, do func(context.Context)) {
	s.mu.Lock()
	heap.Push(&s.queue, action{at: s.now().Add(d), do: do})
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// pending counts actions that wait or run.
func (s *schedule) pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue) + s.running
}

// run works the queue off until ctx ends and every action has returned.
func (s *schedule) run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	free := make(chan struct{}, atOnce)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next, wait := s.next()
		if next == nil {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return nil
			case <-s.wake:
			case <-timer.C:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case free <- struct{}{}:
		}
		wg.Go(func() {
			next(ctx)
			s.mu.Lock()
			s.running--
			s.mu.Unlock()
			<-free
		})
	}
}

// next takes the earliest action that is due, or tells how long until one is.
func (s *schedule) next() (func(context.Context), time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return nil, time.Hour
	}
	if wait := s.queue[0].at.Sub(s.now()); wait > 0 {
		return nil, wait
	}
	s.running++
	return heap.Pop(&s.queue).(action).do, 0
}

// actions is a heap by time.
type actions []action

func (a actions) Len() int           { return len(a) }
func (a actions) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a actions) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }

// Push is heap's; use schedule.after.
func (a *actions) Push(x any) { *a = append(*a, x.(action)) }

// Pop is heap's; use schedule.next.
func (a *actions) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}
