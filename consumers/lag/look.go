package lag

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// snapshot is what a cluster said.
type snapshot struct {
	positions map[place]position
	members   map[string]int           // by group
	retention map[string]time.Duration // by topic; none where nothing is deleted by time
}

// place is a partition as a group sees it.
type place struct {
	group string
	spot
}

// spot is a partition of a topic, prefix included.
type spot struct {
	topic     string
	partition int32
}

// position is how far a group is in a partition.
type position struct {
	committed int64     // -1: nothing yet
	lag       int64     // records, markers between them included; 0 where no record is left
	oldest    time.Time // of the first record that is left; zero where none is
	gone      bool      // retention took records that were not read
}

// look asks for everything. Where something is not told it takes what was there before, and says so in the error.
func (m *Monitor) look(ctx context.Context, before snapshot) (snapshot, error) {
	var faults []error
	fault := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	now := snapshot{positions: map[place]position{}, members: map[string]int{}, retention: map[string]time.Duration{}}
	starts, err := m.adm.ListStartOffsets(ctx, m.topics...)
	fault(wrap("list start offsets", err))
	ends, err := m.adm.ListCommittedOffsets(ctx, m.topics...)
	fault(wrap("list last stable offsets", err))
	listed, err := m.adm.ListGroups(ctx)
	fault(wrap("list groups", err))
	names := slices.Collect(maps.Keys(m.groups))
	for name, g := range listed {
		if m.groups[name] == nil && (g.ProtocolType == "consumer" || g.ProtocolType == "") {
			names = append(names, name)
		}
	}
	var asked []question
	for name, got := range m.adm.FetchManyOffsets(ctx, names...) {
		switch err := got.Err; {
		case err == nil || errors.Is(err, kerr.GroupIDNotFound):
			asked = append(asked, m.questions(name, got.Fetched, starts, ends)...)
		case m.groups[name] != nil || !errors.Is(err, kerr.GroupAuthorizationFailed): // another team's may not be ours to see
			fault(fmt.Errorf("offsets of group %s: %w", name, err))
		}
	}
	fault(m.answer(ctx, asked, &now))
	fault(m.countMembers(ctx, listed, &now))
	fault(m.readRetention(ctx, &now))
	if len(faults) > 0 {
		keep(now.positions, before.positions)
		keep(now.members, before.members)
		keep(now.retention, before.retention)
	}
	return now, errors.Join(faults...)
}

// keep takes over what was known and is not told now.
func keep[K comparable, V any](now, before map[K]V) {
	for k, v := range before {
		if _, told := now[k]; !told {
			now[k] = v
		}
	}
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// question is a group's position in a partition, of which it is to be found what is left.
type question struct {
	place
	position
	start, end int64
	err        error
}

// questions is the positions of a group in the topics that it reads.
func (m *Monitor) questions(group string, committed kadm.OffsetResponses, starts, ends kadm.ListedOffsets) []question {
	topics := m.topics
	known := m.groups[group]
	if known != nil {
		topics = known.reads
	}
	var out []question
	for _, topic := range topics {
		for partition, end := range ends[topic] {
			q := question{place: place{group, spot{topic, partition}}, position: position{committed: -1}, end: end.Offset}
			start, _ := starts.Lookup(topic, partition)
			c, told := committed.Lookup(topic, partition)
			if q.err = errors.Join(end.Err, start.Err, c.Err); told {
				q.committed = c.At
			}
			if partition < 0 || q.committed < 0 && (known == nil || known.integration == "") {
				continue // where it will begin is not known
			}
			q.start = max(q.committed, start.Offset)
			q.gone = q.committed >= 0 && q.committed < start.Offset
			out = append(out, q)
		}
	}
	return out
}

// answer finds what is left of each position, and fills those of which that is known.
func (m *Monitor) answer(ctx context.Context, asked []question, now *snapshot) error {
	var faults []error
	wishes := map[spot]*wish{}
	for _, q := range asked {
		switch {
		case q.err != nil:
			faults = append(faults, fmt.Errorf("group %s in %s/%d: %w", q.group, q.topic, q.partition, q.err))
		case q.start < q.end:
			if wishes[q.spot] == nil {
				wishes[q.spot] = &wish{end: q.end}
			}
			wishes[q.spot].from = append(wishes[q.spot].from, q.start)
		default:
			now.positions[q.place] = q.position
		}
	}
	found, err := m.prober.find(ctx, wishes)
	for _, q := range asked {
		f, told := found[q.spot][q.start]
		if q.err != nil || q.start >= q.end || !told {
			continue
		}
		if !f.none {
			q.lag, q.oldest = q.end-q.start, f.at
		}
		now.positions[q.place] = q.position
	}
	return errors.Join(append(faults, err)...)
}

// countMembers fills how many members the groups have that the topology speaks of, or that have positions.
func (m *Monitor) countMembers(ctx context.Context, listed kadm.ListedGroups, now *snapshot) error {
	names := map[string]bool{}
	for name := range m.groups {
		names[name] = true
	}
	for at := range now.positions {
		names[at.group] = true
	}
	var modern []string // they speak the protocol of KIP-848
	described, err := m.adm.DescribeGroups(ctx, slices.Collect(maps.Keys(names))...)
	faults := []error{wrap("describe groups", err)}
	for name, g := range described {
		_, exists := listed[name]
		switch none := errors.Is(g.Err, kerr.GroupIDNotFound); {
		case none && exists:
			modern = append(modern, name)
		case none || g.Err == nil:
			now.members[name] = len(g.Members)
		default:
			faults = append(faults, fmt.Errorf("describe group %s: %w", name, g.Err))
		}
	}
	if len(modern) == 0 {
		return errors.Join(faults...)
	}
	groups, err := m.adm.DescribeConsumerGroups(ctx, modern...)
	faults = append(faults, wrap("describe consumer groups", err))
	for name, g := range groups {
		if g.Err != nil {
			faults = append(faults, fmt.Errorf("describe group %s: %w", name, g.Err))
			continue
		}
		now.members[name] = len(g.Members)
	}
	return errors.Join(faults...)
}

// readRetention fills for how long the topics keep their records.
func (m *Monitor) readRetention(ctx context.Context, now *snapshot) error {
	configs, err := m.adm.DescribeTopicConfigs(ctx, m.topics...)
	if err != nil {
		return fmt.Errorf("describe topic configs: %w", err)
	}
	var faults []error
	for _, rc := range configs {
		if rc.Err != nil {
			faults = append(faults, fmt.Errorf("configs of %s: %w", rc.Name, rc.Err))
			continue
		}
		ms, deletes := int64(-1), false
		for _, c := range rc.Configs {
			switch c.Key {
			case "retention.ms":
				ms, err = strconv.ParseInt(c.MaybeValue(), 10, 64)
				faults = append(faults, wrap("retention.ms of "+rc.Name, err))
			case "cleanup.policy":
				deletes = slices.Contains(strings.Split(c.MaybeValue(), ","), "delete")
			}
		}
		if deletes && ms >= 0 {
			now.retention[rc.Name] = time.Duration(min(ms, int64(maxRetention/time.Millisecond))) * time.Millisecond
		}
	}
	return errors.Join(faults...)
}

// maxRetention is as good as for ever, and no overflow.
const maxRetention = 100 * 365 * 24 * time.Hour
