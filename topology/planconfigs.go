package topology

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// planConfigs is what of a topic's configs differs from the files: those the files name, and those that somebody set by hand.
func planConfigs(want Topic, got TopicState) []Change {
	var out []Change
	for _, k := range sortedKeys(want.Configs) {
		if got.Configs[k] != want.Configs[k] {
			c := Change{Step: AddConfig, Mark: Safe, Name: want.Name, Key: k, Have: got.Configs[k], Want: want.Configs[k], topic: want}
			if c.Why = configDanger(k, c.Have, c.Want); c.Why != "" {
				c.Mark = Danger
			}
			out = append(out, c)
		}
	}
	for _, k := range sortedKeys(got.Set) {
		if _, named := want.Configs[k]; !named && ourConfig(k) {
			out = append(out, Change{Step: RemoveConfig, Mark: Danger, Name: want.Name, Key: k, Have: got.Configs[k], Want: got.Set[k], topic: want,
				Why: fmt.Sprintf("somebody set it by hand; to keep it, write it under configs in topics.yaml: %s: {%s: %q}", want.name, k, got.Configs[k])})
		}
	}
	return out
}

// ourConfig tells whether a config is of a topic's owner: not one of a vendor's, and not one that a tool sets while it moves
// replicas.
func ourConfig(key string) bool {
	return !strings.HasSuffix(key, ".replication.throttled.replicas") && slices.Contains(topicConfigs, key)
}

// topicConfigs are Kafka's. https://kafka.apache.org/documentation/#topicconfigs
var topicConfigs = []string{
	"cleanup.policy", "compression.gzip.level", "compression.lz4.level", "compression.type", "compression.zstd.level", "delete.retention.ms",
	"file.delete.delay.ms", "flush.messages", "flush.ms", "index.interval.bytes", "local.retention.bytes", "local.retention.ms", "max.compaction.lag.ms",
	"max.message.bytes", "message.timestamp.after.max.ms", "message.timestamp.before.max.ms", "message.timestamp.type", "min.cleanable.dirty.ratio",
	"min.compaction.lag.ms", "min.insync.replicas", "preallocate", "remote.log.copy.disable", "remote.log.delete.on.disable", "remote.storage.enable",
	"retention.bytes", "retention.ms", "segment.bytes", "segment.index.bytes", "segment.jitter.ms", "segment.ms", "unclean.leader.election.enable",
}

// configDanger is what is lost when a config changes; empty when nothing is.
func configDanger(key, have, want string) string {
	switch key {
	case "retention.ms", "retention.bytes":
		if lower(have, want) {
			return "records that are kept now go with the next cleaning"
		}
	case "min.insync.replicas":
		if lower(have, want) {
			return "what is acknowledged then stands on fewer brokers"
		}
	case "max.message.bytes":
		if lower(have, want) {
			return "records that are taken now are refused then"
		}
	case "cleanup.policy":
		for _, p := range strings.Split(want, ",") {
			if have != "" && !slices.Contains(strings.Split(have, ","), p) {
				return "records that the policy keeps now go with the next cleaning"
			}
		}
	case "unclean.leader.election.enable":
		if want == "true" {
			return "a broker that lags may lead, and what it lacks is lost"
		}
	}
	return ""
}

// lower tells whether a number shrinks; -1 is none, the greatest.
func lower(have, want string) bool {
	h, err := strconv.ParseInt(have, 10, 64)
	w, err2 := strconv.ParseInt(want, 10, 64)
	return err == nil && err2 == nil && w >= 0 && (h < 0 || w < h)
}

// need is how long a topic must keep its records, and for what.
type need struct {
	atLeast time.Duration
	why     string
}

func (n *need) raise(d time.Duration, format string, args ...any) {
	if d > n.atLeast {
		n.atLeast, n.why = d, fmt.Sprintf(format, args...)
	}
}

// retentionRefusals are topics whose files keep them for less than what reads them needs.
func (t *Topology) retentionRefusals() []Change {
	needs := map[string]*need{}
	of := func(topic string) *need {
		if needs[topic] == nil {
			needs[topic] = &need{}
		}
		return needs[topic]
	}
	for i := range t.Integrations {
		in := &t.Integrations[i]
		inputs := append(t.InputTopics(in), t.TopicName(TopicCommands))
		for _, topic := range inputs {
			n := of(topic)
			n.raise(in.Retry.GiveUpAfter.D(), "%s is tried for %s (retry.give_up_after)", in.Name, in.Retry.GiveUpAfter.D())
			for _, w := range in.Windows {
				n.raise(w.Length(), "%s is not called for %s (windows)", in.Name, w.Length())
			}
			for _, r := range in.Deliver {
				if len(r.Needs) > 0 {
					n.raise(r.NeedsWithin.D(), "%s waits %s for what it needs (needs_within)", in.Name, r.NeedsWithin.D())
				}
			}
		}
		n := of(t.Ledger(in.Name))
		n.raise(in.DedupWindow.D(), "%s remembers finished events for %s (dedup_window)", in.Name, in.DedupWindow.D())
		n.raise(in.Retry.GiveUpAfter.D(), "%s is tried for %s (retry.give_up_after)", in.Name, in.Retry.GiveUpAfter.D())
	}
	var out []Change
	for _, topic := range t.Topics {
		n := needs[topic.Name]
		kept, err := strconv.ParseInt(topic.Configs["retention.ms"], 10, 64)
		if n == nil || err != nil || kept < 0 || time.Duration(kept)*time.Millisecond >= n.atLeast-time.Millisecond {
			continue
		}
		out = append(out, Change{Step: Refuse, Mark: Refused, Name: topic.Name, Key: "retention.ms", Want: topic.Configs["retention.ms"],
			Why: fmt.Sprintf("the files keep it for %s, and %s: keep it at least that long", time.Duration(kept)*time.Millisecond, n.why)})
	}
	return out
}

// Length is how long the window lasts.
func (w Window) Length() time.Duration {
	from, err := time.Parse("15:04", w.From)
	to, err2 := time.Parse("15:04", w.To)
	if err != nil || err2 != nil {
		return 0 // a fault of the files
	}
	if d := to.Sub(from); d > 0 {
		return d
	}
	return to.Sub(from) + 24*time.Hour
}

// topicConfigFaults checks the configs of topics.yaml, and gives them to their topics.
func (l *loader) topicConfigFaults(t *Topology, configs map[string]map[string]string) {
	for _, name := range sortedKeys(configs) {
		i := slices.IndexFunc(t.Topics, func(x Topic) bool { return x.name == name })
		if i < 0 {
			l.at("topics.yaml", "configs."+name, "configs of unknown topic %q: name it without the prefix, as %s or ledger.<integration>", name, schemas.TopicOrders)
			continue
		}
		for _, k := range sortedKeys(configs[name]) {
			switch {
			case k == "cleanup.policy":
				l.at("topics.yaml", "configs."+name+"."+k, "cleanup.policy of %s is Seam's own: what it keeps depends on it", name)
			case k == "retention.ms" && strings.HasPrefix(name, "ledger."):
				l.at("topics.yaml", "configs."+name+"."+k, "how long a ledger remembers is its integration's dedup_window")
			case !slices.Contains(topicConfigs, k):
				l.at("topics.yaml", "configs."+name+"."+k, "unknown config %q of a topic: Kafka's are %s", k, join(topicConfigs))
			default:
				t.Topics[i].Configs[k] = configs[name][k]
			}
		}
	}
}
