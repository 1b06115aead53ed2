package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/binaryandbeyond/seam/schemas"
)

// evidence is all that the judge hears: what sources were told, what the topics hold, what the downstreams did.
type evidence struct {
	lives   map[string]*life
	posts   map[schemas.EventID]*post // all that were sent
	readers map[string][]string       // event topic to the integrations that read it
	events  map[place]schemas.EventID
	ours    map[schemas.EventID]bool // of events: what read-backs found
	said    []*said                  // in the order of their topic
	calls   []call                   // in the order they came, system by system
}

// finding is one broken promise.
type finding struct{ rule, subject, text string }

func (f finding) String() string { return f.rule + ": " + f.text }

// judge holds the evidence to every promise and gives what is broken, sorted.
//
//	lost      what a source was told 200 for is in no topic, or a topic holds what nobody sent
//	outcome   an event of a topic has no end, or two, in an integration that reads it
//	twice     one fact was delivered twice, or delivered and parked
//	parked    an event waits for a person, and nothing that was done to the downstreams explains it
//	effect    a downstream did more or less than the lives ask for, or nothing for what is called delivered
//	order     an effect of an order came before one of an earlier event, or an older state after a newer
func judge(e evidence) []finding { return newCourt(e).judge() }

func (c *court) judge() []finding {
	for _, rule := range []func(){c.lost, c.outcomes, c.facts, c.parking, c.effects, c.delivered, c.ordered} {
		rule()
	}
	slices.SortFunc(c.found, func(a, b finding) int { return strings.Compare(a.String(), b.String()) })
	return c.found
}

// court is a judge at work: the evidence with its indices.
type court struct {
	evidence
	found  []finding
	places map[schemas.EventID][]place
	latest map[end]*said
	ever   map[string]bool    // integration and event that were parked at any time
	held   map[string][]*said // integration and subject to what is parked at the end
	did    map[string]int     // integration, subject and operation to effects
	byID   map[string]int     // integration and event id to effects
	byKey  map[string]int     // integration and key to effects

	bySubject map[string][]call
	rewound   int // states that were written again after a newer one
}

func newCourt(e evidence) *court {
	c := &court{evidence: e, places: map[schemas.EventID][]place{}, latest: map[end]*said{}, ever: map[string]bool{}, held: map[string][]*said{},
		did: map[string]int{}, byID: map[string]int{}, byKey: map[string]int{}}
	for at, id := range e.events {
		c.places[id] = append(c.places[id], at)
	}
	for _, s := range e.said {
		c.latest[s.end] = s
		if parked(s) {
			c.ever[s.integration+" "+string(s.id)] = true
		}
	}
	for _, s := range c.latest {
		if parked(s) {
			c.held[s.integration+" "+s.subject] = append(c.held[s.integration+" "+s.subject], s)
		}
	}
	for _, call := range e.calls {
		if call.effect {
			c.did[call.system+" "+call.subject+" "+call.op]++
			c.byID[call.system+" "+string(call.event)]++
			c.byKey[call.system+" "+call.key]++
		}
	}
	return c
}

func (c *court) find(rule, subject, format string, args ...any) {
	c.found = append(c.found, finding{rule, subject, fmt.Sprintf(format, args...)})
}

func (c *court) lost() {
	for id, p := range c.posts {
		if !p.taken.IsZero() && len(c.places[id]) == 0 {
			c.find("lost", p.subject, "%s of %s was answered with 200 and is in no topic", p.kind, p.subject)
		}
	}
	for at, id := range c.events {
		if c.posts[id] == nil && !c.ours[id] {
			c.find("lost", "", "%v holds %s, which nobody sent", at, id)
		}
	}
}

// outcomes: one final outcome, or parked at the last, and nothing after what is final.
func (c *court) outcomes() {
	finals := map[end]int{}
	for _, s := range c.said {
		if s.kind.Final() {
			finals[s.end]++
		}
		if _, ok := c.events[s.place]; !ok {
			c.find("outcome", s.subject, "%s tells of %v, where no event is", s.integration, s.place)
		}
	}
	for at, id := range c.events {
		subject := ""
		if p := c.posts[id]; p != nil {
			subject = p.subject
		}
		for _, in := range c.readers[at.topic] {
			e := end{in, at}
			switch last := c.latest[e]; {
			case last == nil:
				c.find("outcome", subject, "%s has no outcome for %v, %s of %s", in, at, id, subject)
			case finals[e] > 1:
				c.find("outcome", subject, "%s has %d final outcomes for %v, %s of %s", in, finals[e], at, id, subject)
			case (finals[e] == 1) == parked(last):
				c.find("outcome", subject, "%s has %d final outcomes for %v, %s of %s, and the last is %s", in, finals[e], at, id, subject, last.kind)
			}
		}
	}
}

// facts: what came under two ids, or twice under one, is delivered once.
func (c *court) facts() {
	ends := map[string][]*said{}
	for _, s := range c.latest {
		if p := c.posts[s.id]; p != nil && (parked(s) || s.kind == schemas.Delivered || s.kind == schemas.AlreadyDone) {
			ends[s.integration+" "+p.fact] = append(ends[s.integration+" "+p.fact], s)
		}
	}
	for fact, list := range ends {
		if len(list) > 1 {
			c.find("twice", list[0].subject, "%s ended %d times: %s and %s", fact, len(list), list[0].kind, list[1].kind)
		}
	}
}

// parking: only a call of unknown effect, where nothing can be asked, may wait for a person; what stands behind it waits
// with it.
func (c *court) parking() {
	for _, list := range c.held {
		unknown := slices.ContainsFunc(list, func(s *said) bool { return s.reason == schemas.ReasonUnknown })
		for _, s := range list {
			blind := s.integration == "support" && (s.reason == schemas.ReasonUnknown || s.reason == schemas.ReasonBehind && unknown)
			if !blind && !mayWait(c.lives[s.subject], s) {
				c.find("parked", s.subject, "%s of %s is parked without cause: %s, %s", s.integration, s.subject, s.reason, s.detail)
			}
		}
	}
}

// effects: what each downstream did, against what the lives ask for; what is parked is excused from being done.
func (c *court) effects() {
	asked := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(c.lives)) {
		for _, d := range dues(c.lives[id]) {
			what := d.system + " " + id + " " + d.op
			asked[what] = true
			listed := c.held[d.system+" "+id]
			switch n := c.did[what]; {
			case n > d.most && !(d.system == "support" && slices.ContainsFunc(listed, func(s *said) bool { return s.reason == schemas.ReasonUnknown })):
				c.find("effect", id, "%s did %s for %s %d times, and should at most %d", d.system, d.op, id, n, d.most)
			case n < d.least && len(listed) == 0:
				c.find("effect", id, "%s did %s for %s %d times, and should at least %d", d.system, d.op, id, n, d.least)
			}
		}
		c.stopped(c.lives[id])
		c.believed(c.lives[id])
	}
	for what, n := range c.did {
		if !asked[what] && !strings.HasSuffix(what, " update") {
			c.find("effect", strings.Fields(what)[1], "%s was done %d times, and nobody asked for it", what, n)
		}
	}
}

// stopped: a parcel that was asked for and became pointless was called back.
func (c *court) stopped(l *life) {
	made, back := c.did["warehouse "+l.id+" fulfill"], c.did["warehouse "+l.id+" cancel"]
	if made > 0 && (l.cancelled || l.refunded) && back == 0 && len(c.held["warehouse "+l.id]) == 0 {
		c.find("effect", l.id, "warehouse packed %s and was not told that it is cancelled or refunded", l.id)
	}
	if back > made {
		c.find("effect", l.id, "warehouse was told to stop %s, which it never packed", l.id)
	}
}

// believed: the last state that the books and the contacts were given is the newest.
func (c *court) believed(l *life) {
	for system, op := range map[string]string{"erp": "order", "crm": "contact"} {
		if c.did[system+" "+l.id+" "+op] == 0 || len(c.held[system+" "+l.id]) > 0 {
			continue
		}
		if got := c.newest(system, l.id); got != l.version {
			c.find("effect", l.id, "%s has %s as of %s, and its newest state is of %s", system, l.id, got, l.version)
		}
	}
}

// newest is the version of the state that was written last.
func (c *court) newest(system, subject string) (version string) {
	for _, call := range c.of(subject) {
		if call.effect && call.system == system && isState(call.op) {
			version = c.version(call)
		}
	}
	return version
}

func isState(op string) bool { return op == "order" || op == "contact" || op == "update" }

// version is that of the state a call wrote: as the request says, or as its event was sent.
func (c *court) version(call call) string {
	if p := c.posts[call.event]; call.version == "" && p != nil {
		return p.version
	}
	return call.version
}
