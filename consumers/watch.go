package consumers

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// evRecreated says that an input topic is another than the one that was assigned.
type evRecreated struct{ topic string }

// watch compares the ids of the input topics with those of the assignment, twice a session, until the engine ends: a topic
// that was deleted and made anew leaves its consumers waiting without a word, for offsets that will not come for a long
// time. Kafka being away says nothing of the topics.
func (e *engine) watch() {
	every := e.Session / 2
	tick := time.NewTicker(every)
	defer tick.Stop()
	adm := kadm.NewClient(e.cl)
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(e.ctx, every)
		topics, err := adm.ListTopics(ctx, e.Topology.InputTopics(e.in)...)
		cancel()
		if err != nil {
			continue
		}
		for name, t := range topics {
			if known := e.identities.of(name); t.Err == nil && known != [16]byte{} && known != t.ID {
				e.send(evRecreated{name})
				return
			}
		}
	}
}

// recreated ends the engine: the next one restores with the new topic's id, under which old offsets settle nothing.
func (e *engine) recreated(ev evRecreated) error {
	e.log.Error("an event topic was deleted and made anew: what was in it and had no outcome is lost", "topic", ev.topic, "team", e.in.Team)
	return fmt.Errorf("topic %s was made anew", ev.topic)
}
