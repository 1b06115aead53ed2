package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Status is how one integration runs.
type Status struct {
	Integration string                   `json:"integration"`
	Team        string                   `json:"team"`
	Group       string                   `json:"group"`       // consumer group
	State       string                   `json:"state"`       // running, paused, stopped, stale, absent: see stateOf
	Circuit     string                   `json:"circuit"`     // closed, half_open, open; empty where no worker tells
	CircuitWhy  string                   `json:"circuit_why"` // why it is not closed, or why a partition stands
	LagRecords  int64                    `json:"lag_records"` // log end minus committed offset, over all partitions
	LagSeconds  int64                    `json:"lag_seconds"` // age of the oldest record that is not committed; 0 when none
	LastSuccess *time.Time               `json:"last_success,omitempty"`
	Parked      int64                    `json:"parked"` // live records of the parked topic
	ParkedBy    map[schemas.Reason]int64 `json:"parked_by"`
	Members     int                      `json:"members"` // of the consumer group
	Instances   []Instance               `json:"instances"`
}

// Instance is what one process last said of itself.
type Instance struct {
	Name       string    `json:"name"`
	State      string    `json:"state"` // running, paused, stopped; stale when it has said nothing for long
	Circuit    string    `json:"circuit"`
	InFlight   int64     `json:"in_flight"`
	Partitions int64     `json:"partitions"`
	At         time.Time `json:"at"`
}

// The states that Status adds to those a worker reports.
const (
	stateRunning = "running"
	statePaused  = "paused"
	stateStale   = "stale"  // workers spoke once, and not for staleAfter
	stateAbsent  = "absent" // no worker ever spoke
)

const (
	staleAfter  = 30 * time.Second // workers report every 5 s and at every change
	forgetAfter = 24 * time.Hour   // instances that said nothing for so long are not shown
	readers     = 4                // integrations asked about at once
)

// ReadStatus asks the cluster how every integration runs, sorted by name: lag from its consumer group, parked events from
// its parked topic, the rest from what its workers last wrote to the status topic.
func ReadStatus(ctx context.Context, c ReadConfig) ([]Status, error) {
	cl, err := c.client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	workers, err := c.workers(ctx, adm)
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	out := make([]Status, len(c.Topology.Integrations))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for i := range c.Topology.Integrations {
		in := &c.Topology.Integrations[i]
		g.Go(func() error {
			s := &out[i]
			*s = Status{Integration: in.Name, Team: in.Team, Group: c.Topology.Group(in.Name), ParkedBy: map[schemas.Reason]int64{}, Instances: []Instance{}}
			s.report(workers[in.Name], c.now())
			if err := c.lag(ctx, adm, in, s); err != nil {
				return fmt.Errorf("status of %s: %w", in.Name, err)
			}
			parked, err := c.parked(ctx, adm, in.Name)
			for _, p := range parked {
				s.Parked++
				s.ParkedBy[p.Reason]++
			}
			return err
		})
	}
	return out, g.Wait()
}

// workers is the last word of every instance, by integration.
func (c ReadConfig) workers(ctx context.Context, adm *kadm.Client) (map[string][]*schemas.WorkerStatus, error) {
	last := map[string]*schemas.WorkerStatus{}
	err := c.readAll(ctx, adm, c.Topology.TopicName(topology.TopicStatus), func(rec *kgo.Record) error {
		if rec.Value == nil {
			delete(last, string(rec.Key))
			return nil
		}
		w, err := c.Serde.DecodeWorkerStatus(ctx, rec.Value)
		if err != nil {
			return fmt.Errorf("read %s/%d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
		}
		last[string(rec.Key)] = w
		return nil
	})
	out := map[string][]*schemas.WorkerStatus{}
	for _, w := range last {
		out[w.Integration] = append(out[w.Integration], w)
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b *schemas.WorkerStatus) int { return cmp.Compare(a.Instance, b.Instance) })
	}
	return out, err
}

// report fills what the workers say. Of several that are alive a paused one and an open circuit speak for all.
func (s *Status) report(workers []*schemas.WorkerStatus, now time.Time) {
	s.State = stateAbsent
	circuits := []string{"", "closed", "half_open", "open"}
	var newest *schemas.WorkerStatus // of those that are not alive
	for _, w := range workers {
		if w.LastSuccess != nil && (s.LastSuccess == nil || w.LastSuccess.After(*s.LastSuccess)) {
			s.LastSuccess = w.LastSuccess
		}
		age := now.Sub(w.At)
		if age > forgetAfter {
			continue
		}
		i := Instance{Name: w.Instance, State: w.State, Circuit: w.Circuit, InFlight: w.InFlight, Partitions: w.Partitions, At: w.At}
		alive := age <= staleAfter && (w.State == stateRunning || w.State == statePaused)
		switch {
		case age > staleAfter && w.State != "stopped":
			i.State = stateStale
			fallthrough
		case !alive:
			if newest == nil || w.At.After(newest.At) {
				newest = w
				if s.State != stateRunning && s.State != statePaused {
					s.State = i.State
				}
			}
		case s.State != statePaused:
			s.State = w.State
		}
		if alive && (slices.Index(circuits, w.Circuit) > slices.Index(circuits, s.Circuit) || s.CircuitWhy == "" && w.CircuitWhy != "") {
			s.Circuit, s.CircuitWhy = w.Circuit, schemas.MaskText(w.CircuitWhy)
		}
		s.Instances = append(s.Instances, i)
	}
}

// lag fills how far the integration's group is behind. Partitions without a commit count from their start.
func (c ReadConfig) lag(ctx context.Context, adm *kadm.Client, in *topology.Integration, s *Status) error {
	groups, err := adm.DescribeGroups(ctx, s.Group)
	if err != nil {
		return fmt.Errorf("describe group %s: %w", s.Group, err)
	}
	s.Members = len(groups[s.Group].Members)
	committed, err := adm.FetchOffsets(ctx, s.Group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("offsets of group %s: %w", s.Group, err)
	}
	details, err := partitionsOf(ctx, adm, c.Topology.InputTopics(in))
	if err != nil {
		return err
	}
	from := map[string][]int32{}
	for topic, n := range details {
		for p := range n {
			from[topic] = append(from[topic], p)
		}
	}
	todo, err := spans(ctx, adm, from)
	if err != nil {
		return err
	}
	for p, u := range todo {
		if o, ok := committed.Lookup(p.topic, p.partition); ok && o.At >= 0 {
			u.next = max(u.next, o.At)
		}
		if u.next >= u.end {
			delete(todo, p)
			continue
		}
		s.LagRecords += u.end - u.next
	}
	oldest, err := c.oldest(ctx, todo)
	if err == nil && !oldest.IsZero() {
		s.LagSeconds = max(0, int64(c.now().Sub(oldest)/time.Second))
	}
	return err
}

// oldest is the earliest timestamp of the first records that are not committed; zero when there is none.
func (c ReadConfig) oldest(ctx context.Context, todo map[place]*unread) (time.Time, error) {
	var oldest time.Time
	if len(todo) == 0 {
		return oldest, nil
	}
	cl, err := c.client(kgo.ConsumePartitions(offsetsOf(todo)), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(fetchWait), kgo.FetchMaxPartitionBytes(64<<10))
	if err != nil {
		return oldest, err
	}
	defer cl.Close()
	for quiet := time.Now().Add(quietWait); len(todo) > 0 && time.Now().Before(quiet); {
		fetches, err := poll(ctx, cl, quiet)
		if err != nil {
			return oldest, err
		}
		for it := fetches.RecordIter(); !it.Done(); {
			rec := it.Next()
			p := place{rec.Topic, rec.Partition}
			if todo[p] != nil && (oldest.IsZero() || rec.Timestamp.Before(oldest)) {
				oldest = rec.Timestamp
			}
			delete(todo, p)
			cl.PauseFetchPartitions(map[string][]int32{rec.Topic: {rec.Partition}})
		}
	}
	return oldest, nil
}
