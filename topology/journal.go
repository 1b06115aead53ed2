package topology

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ClaimRecord says whose a cluster is, under one prefix: the record `environment/<prefix>` of the topic `topology`.
type ClaimRecord struct {
	Environment string    `json:"environment"`
	Prefix      string    `json:"prefix"`
	At          time.Time `json:"at"`
	Who         string    `json:"who"`
}

// Applied is one application of a plan: the record `applied/<id>` of the topic `topology`. It is written as begun before the
// first change and written over at the end; one that stays begun was cut off.
type Applied struct {
	ID          string            `json:"id"` // begins with its time, so that ids sort by time
	At          time.Time         `json:"at"`
	Who         string            `json:"who"`
	State       string            `json:"state"` // begun, done or failed
	Error       string            `json:"error,omitempty"`
	Environment string            `json:"environment"`
	Files       map[string]string `json:"files"` // SHA-256 by file name
	Principals  []string          `json:"principals,omitempty"`
	Changes     []Change          `json:"changes"`
}

// Journal is what the topic `topology` tells. Its values are JSON, so that whose a cluster is can be read before anything else
// of it is trusted, its registry included.
type Journal struct {
	Claim   *ClaimRecord
	Applied []Applied // oldest first
}

// Principals lists every principal that an applied plan named.
func (j Journal) Principals() []string {
	all := map[string]bool{}
	for _, a := range j.Applied {
		for _, p := range a.Principals {
			all[p] = true
		}
	}
	return sortedKeys(all)
}

// Quotas are those that applied plans set, as far as is known, and did not take away since: by principal and Kafka's name.
func (j Journal) Quotas() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, a := range j.Applied {
		for _, c := range a.Changes {
			switch {
			case c.Step != SetQuota:
			case c.Want == "":
				if a.State == "done" { // else it may stand
					delete(out[c.Name], c.Key)
				}
			case out[c.Name] == nil:
				out[c.Name] = map[string]string{c.Key: c.Want}
			default:
				out[c.Name][c.Key] = c.Want
			}
		}
	}
	return out
}

// ReadJournal reads the topic `topology` whole: it is compacted, of one partition, and has a record or two per application. The
// topic must exist.
func ReadJournal(ctx context.Context, t *Topology, client *kgo.Client) (Journal, error) {
	var j Journal
	topic := t.TopicName(TopicTopology)
	applied := map[string]Applied{}
	options := append(slices.Clone(client.Opts()), kgo.ConsumerGroup(""), kgo.ConsumeTopics())
	if err := ReadTopic(ctx, options, topic, func(rec *kgo.Record) error { return j.take(t, rec, applied) }); err != nil {
		return j, err
	}
	for _, id := range slices.Sorted(maps.Keys(applied)) {
		j.Applied = append(j.Applied, applied[id])
	}
	return j, nil
}

// take folds one record in. Keys of a later Seam are passed over.
func (j *Journal) take(t *Topology, rec *kgo.Record, applied map[string]Applied) error {
	switch key := string(rec.Key); {
	case key == claimKey(t):
		j.Claim = nil
		if rec.Value == nil {
			return nil // released
		}
		var c ClaimRecord
		if err := json.Unmarshal(rec.Value, &c); err != nil {
			return fmt.Errorf("claim: %w", err)
		}
		j.Claim = &c
	case strings.HasPrefix(key, "applied/") && rec.Value != nil:
		var a Applied
		if err := json.Unmarshal(rec.Value, &a); err != nil {
			return fmt.Errorf("applied plan: %w", err)
		}
		applied[a.ID] = a
	}
	return nil
}

func claimKey(t *Topology) string { return "environment/" + t.Prefix }

// claim writes down that the cluster is the environment's.
func (t *Topology) claim(ctx context.Context, client *kgo.Client, who string, at time.Time) error {
	return t.write(ctx, client, claimKey(t), ClaimRecord{Environment: t.Environment, Prefix: t.Prefix, At: at.UTC(), Who: who})
}

// Release takes back the claim of a cluster, which then is the next one's who applies. environment must be the name that claimed
// it: whoever releases it says whose it was.
func Release(ctx context.Context, t *Topology, client *kgo.Client, environment string) error {
	journal, err := ReadJournal(ctx, t, client)
	if err != nil {
		return err
	}
	if journal.Claim == nil {
		return fmt.Errorf("nobody has claimed the cluster for prefix %q", t.Prefix)
	}
	if journal.Claim.Environment != environment {
		return fmt.Errorf("the cluster is claimed by %s, not by %s: name the one that is released", journal.Claim.Environment, environment)
	}
	return t.write(ctx, client, claimKey(t), nil)
}

// write puts one record into the topic; nil removes the key.
func (t *Topology) write(ctx context.Context, client *kgo.Client, key string, v any) error {
	rec := &kgo.Record{Topic: t.TopicName(TopicTopology), Key: []byte(key)}
	if v != nil {
		value, err := json.Marshal(v)
		if err != nil {
			return err
		}
		rec.Value = value
	}
	if err := client.ProduceSync(ctx, rec).FirstErr(); err != nil {
		return fmt.Errorf("write %s to topic %s: %w", key, rec.Topic, err)
	}
	return nil
}

// ClaimedError says that a cluster is another environment's.
type ClaimedError struct {
	Claim       ClaimRecord
	Environment string // ours
	From        string // what names the cluster: "SEAM_BROKERS"; empty where that is not known
}

// Error names both environments, what points there, and the ways out.
func (e *ClaimedError) Error() string {
	from := ""
	if e.From != "" {
		from = fmt.Sprintf(" (%s points there)", e.From)
	}
	return fmt.Sprintf("this is environment %s, and the cluster%s was claimed by %s for prefix %q on %s by %s: point to a cluster of %s, or set SEAM_ENVIRONMENT=%s if it is that; seam environment release %s gives it up on purpose",
		e.Environment, from, e.Claim.Environment, e.Claim.Prefix, e.Claim.At.Format(time.DateOnly), e.Claim.Who, e.Environment, e.Claim.Environment, e.Claim.Environment)
}

// Guard is a *ClaimedError when the cluster was claimed by another environment; from names what points to it. A cluster that
// nobody has applied to yet is nobody's.
func Guard(ctx context.Context, t *Topology, client *kgo.Client, from string) error {
	topics, err := kadm.NewClient(client).ListTopics(ctx, t.TopicName(TopicTopology))
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	if err := topics[t.TopicName(TopicTopology)].Err; errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil
	} else if err != nil {
		return fmt.Errorf("topic %s: %w", t.TopicName(TopicTopology), err)
	}
	journal, err := ReadJournal(ctx, t, client)
	if err != nil {
		return err
	}
	return Claimed(t, journal.Claim, from)
}

// Unauthorized tells whether a cluster did not let its caller know.
func Unauthorized(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed)
}

// Claimed is a *ClaimedError when the cluster was claimed by another environment; from names what points to it.
func Claimed(t *Topology, claim *ClaimRecord, from string) error {
	if claim == nil || claim.Environment == t.Environment {
		return nil
	}
	return &ClaimedError{Claim: *claim, Environment: t.Environment, From: from}
}
