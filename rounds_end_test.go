package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// evidence is everything as it stands.
func (r *rounds) evidence() evidence {
	r.Helper()
	rows, err := exported(filepath.Join(r.dir, "export"))
	if err != nil {
		r.Fatal(err)
	}
	r.world.mu.Lock()
	calls := slices.Concat(r.world.calls, rows)
	r.world.mu.Unlock()
	r.books.mu.Lock()
	defer r.books.mu.Unlock()
	for _, s := range r.books.strays {
		r.Error(s)
	}
	return evidence{lives: r.lives, posts: r.posts, readers: r.books.readers, events: maps.Clone(r.books.events), ours: maps.Clone(r.books.ours), said: slices.Clone(r.books.said), calls: calls}
}

// verdict judges, and tells what there was to judge.
func (r *rounds) verdict(e evidence) {
	r.Helper()
	court := newCourt(e)
	found := court.judge()
	for i, f := range found {
		if i < 40 {
			r.Errorf("seed %d: %s", r.seed, f)
		}
		if i < 4 && f.subject != "" {
			r.Logf("%s", r.timeline(f.subject))
		}
	}
	if len(found) > 40 {
		r.Errorf("seed %d: and %d more", r.seed, len(found)-40)
	}
	counts := map[string]int{}
	made := map[string]int{}
	for _, c := range e.calls {
		counts["calls"]++
		if c.effect {
			counts["effects"]++
			made[c.system]++
		}
	}
	attempts := 0
	for _, p := range e.posts {
		attempts += p.attempts
	}
	waiting := map[string]int{}
	for _, s := range court.latest {
		counts["outcome "+string(s.kind)]++
		if parked(s) {
			waiting[s.integration+" parked: "+string(s.reason)]++
		}
	}
	r.Logf("seed %d: %d lives, %d posts taken in %d attempts, %d events, %d outcomes, %d engine restarts, %d states written again after a newer one\n%v\neffects %v\n%v\nfaults that happened: %v",
		r.seed, len(e.lives), len(e.posts), attempts, len(e.events), len(e.said), r.tally.of("engine restarts"), court.rewound, counts, made, waiting, r.happened)
	for _, in := range r.topo.Integrations {
		if made[in.Name] == 0 {
			r.Errorf("%s did nothing: nothing was proved", in.Name)
		}
	}
}

// replay sets every group back to the start of its topics and runs Seam again: everything is read, nobody is called and
// nothing is said.
func (r *rounds) replay(before evidence) {
	r.Helper()
	adm := r.adm
	for i := range r.topo.Integrations {
		in := &r.topo.Integrations[i]
		group := r.topo.Group(in.Name)
		starts, err := adm.ListStartOffsets(r.ctx, r.topo.InputTopics(in)...)
		if err != nil {
			r.Fatal(err)
		}
		r.eventually("offsets of "+group+" are reset", time.Minute, func() error {
			// Members with a name do not leave when they end.
			if _, err := adm.LeaveGroup(r.ctx, kadm.LeaveGroup(group).InstanceIDs("a", "b")); err != nil {
				return err
			}
			return adm.CommitAllOffsets(r.ctx, group, starts.Offsets())
		})
	}
	if r.lag(adm) == nil {
		r.Error("no group lags after all were reset: the replay proves nothing")
	}
	r.start()
	r.eventually("the replay is read", 5*time.Minute, func() error { return r.lag(adm) })
	for _, p := range r.procs {
		if err := p.stop(r.ctx); err != nil {
			r.Error(err)
		}
	}
	r.eventually("everything committed is read", time.Minute, func() error {
		return r.books.atEnd(r.ctx, adm, r.topo.TopicName(topology.TopicReconciliation))
	})
	after := r.evidence()
	for _, c := range after.calls[min(len(after.calls), len(before.calls)):] {
		r.Errorf("a replay called %s: %s of %s, answered %s", c.system, c.op, c.subject, c.answer)
	}
	for _, s := range after.said[len(before.said):] {
		if s.kind.Final() {
			r.Errorf("a replay said of %v in %s: %s", s.place, s.integration, s.kind)
		}
	}
}

// timeline is all that is known of one subject, in its order.
func (r *rounds) timeline(subject string) string {
	type line struct {
		at   time.Time
		text string
	}
	var lines []line
	ids := map[schemas.EventID]*post{}
	for id, p := range r.posts {
		if p.subject == subject {
			ids[id] = p
			lines = append(lines, line{p.taken, fmt.Sprintf("taken    %s from %s, version %s, after %d attempts: event %s", p.kind, p.source, p.version, p.attempts, id)})
		}
	}
	r.world.mu.Lock()
	for _, c := range r.world.calls {
		if c.subject == subject || ids[c.event] != nil {
			lines = append(lines, line{c.at, fmt.Sprintf("call     %s %s, event %s, key %s, from %s: effect %v, %s", c.system, c.op, c.event, c.key, c.from, c.effect, c.answer)})
		}
	}
	r.world.mu.Unlock()
	r.books.mu.Lock()
	for _, s := range r.books.said {
		if s.subject == subject {
			lines = append(lines, line{s.at, fmt.Sprintf("outcome  %s %v of %s by %s: %s/%s %s %s", s.integration, s.place, s.id, s.by, s.kind, s.reason, s.detail, s.attempts)})
		}
	}
	r.books.mu.Unlock()
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	var out strings.Builder
	fmt.Fprintf(&out, "timeline of %s:\n", subject)
	for _, l := range lines {
		fmt.Fprintf(&out, "  %s %s\n", l.at.Format("15:04:05.000"), l.text)
	}
	return out.String()
}
