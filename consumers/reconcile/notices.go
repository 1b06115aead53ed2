package reconcile

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// maxNotices is how many disagreements are told in one go.
const maxNotices = 500

// noticeKey is the key of a disagreement's newest record.
type noticeKey struct{ topic, key, field, object, system string }

// recordKey is the key of the record in the topic, which is compacted by it.
func (k noticeKey) recordKey() []byte {
	return []byte(strings.Join([]string{k.topic, k.key, k.field, k.object, k.system}, "|"))
}

// queue notes that a disagreement changed, and is to be told once the view is caught up.
func (b *intake) queue(r record) {
	if r.table != disagreementsTable {
		return
	}
	v := r.values
	b.notices[noticeKey{v[0].(string), v[1].(string), v[2].(string), v[3].(string), v[4].(string)}] = true
}

func (v *View) writeNotices(ctx context.Context, tx *sql.Tx, b *intake) error {
	var rows [][]any
	for k := range b.notices {
		rows = append(rows, []any{k.topic, k.key, k.field, k.object, k.system})
	}
	return v.db.upsert(ctx, tx, noticesTable, "", rows)
}

// notice is a disagreement to be told, beside what was told of it last.
type notice struct {
	noticeKey
	now   *schemas.Disagreement // nil where it is no more: other facts came
	told  string                // state; empty for nothing yet
	since time.Time             // of what was told
	paged bool                  // somebody was paged for that
	// accepted is when the value was accepted that was told of; zero for none. For whoever does not come round to another, the
	// team is paged again.
	accepted time.Time
}

// record is what to say now; nil where nothing is new.
func (n *notice) record() *schemas.Disagreement {
	d := n.now
	if d == nil {
		if n.told == "" || n.told == DisagreementClosed {
			return nil
		}
		return &schemas.Disagreement{Topic: n.topic, Key: n.key, Field: schemas.Field(n.field), Object: n.object, System: schemas.System(n.system), State: DisagreementClosed, Since: n.since}
	}
	same := n.same()
	if same && n.told == d.State || n.told == "" && d.State == DisagreementClosed {
		return nil
	}
	d.Paged = d.State == DisagreementOverdue && !(same && n.paged)
	return d
}

// same tells whether it is the disagreement that was told last, and nobody has accepted another value since.
func (n *notice) same() bool {
	if n.now == nil {
		return true
	}
	at := n.now.AcceptedAt
	return n.since.Equal(n.now.Since) && (at == nil && n.accepted.IsZero() || at != nil && at.Equal(n.accepted))
}

// Notify tells by publish what changed of disagreements since it was told last, once the view knows everything that came; it
// gives how many. What was published and could not be noted, as the process died between, is published again: the record is
// the same.
func (v *View) Notify(ctx context.Context, publish func(context.Context, []*schemas.Disagreement) error) (int, error) {
	if f := v.Freshness(); f.CaughtUpAt.IsZero() {
		return 0, nil
	}
	v.writer.Lock()
	defer v.writer.Unlock()
	list, err := v.pending(ctx)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	var out []*schemas.Disagreement
	var told, done [][]any
	for _, n := range list {
		done = append(done, []any{n.topic, n.key, n.field, n.object, n.system})
		d := n.record()
		if d == nil {
			continue
		}
		d.At = v.horizon()
		out = append(out, d)
		told = append(told, []any{n.topic, n.key, n.field, n.object, n.system, d.Since, d.State, d.Paged || n.paged && n.same(), d.AcceptedAt})
	}
	if len(out) > 0 {
		if err := publish(ctx, out); err != nil {
			return 0, fmt.Errorf("tell disagreements: %w", err)
		}
	}
	err = v.transact(ctx, func(tx *sql.Tx) error {
		if err := v.db.upsert(ctx, tx, toldTable, "", told); err != nil {
			return err
		}
		return v.db.remove(ctx, tx, noticesTable, done)
	})
	return len(out), err
}

// pending is what changed, the newest disagreement of each.
func (v *View) pending(ctx context.Context) ([]*notice, error) {
	const on = " x.topic = n.topic AND x.key = n.key AND x.field = n.field AND x.object = n.object AND x.system = n.system"
	rows, err := v.db.QueryContext(ctx, v.db.bind("SELECT n.topic, n.key, n.field, n.object, n.system, COALESCE(t.state, ''), t.since, t.paged, d.owner, d.owner_value, d.owner_time, d.owner_seen_at, d.value, d.time, d.seen_at, "+
		"d.since, d.deadline, d.closed, d.flaps, d.page, d.state, d.who, d.why, d.waived_until, d.accepted, d.accepted_value, d.accepted_at, d.accepted_by, t.accepted_at FROM notices n LEFT JOIN told t ON "+strings.ReplaceAll(on, "x.", "t.")+
		" LEFT JOIN disagreements d ON "+strings.ReplaceAll(on, "x.", "d.")+" AND d.since = (SELECT max(x.since) FROM disagreements x WHERE"+on+") LIMIT ?"), maxNotices)
	if err != nil {
		return nil, fmt.Errorf("what disagreements changed: %w", err)
	}
	defer rows.Close()
	var out []*notice
	for rows.Next() {
		n := &notice{}
		d := &schemas.Disagreement{}
		var told, ownerTime, ownerSeen, said, seen, since, deadline, closed, until, accepted, toldAccepted moment
		var owner, ownerValue, value, page, state, who, why, of, ofValue, by sql.NullString
		var flaps sql.NullInt64
		var paged sql.NullBool
		if err := rows.Scan(&n.topic, &n.key, &n.field, &n.object, &n.system, &n.told, &told, &paged, &owner, &ownerValue, &ownerTime, &ownerSeen, &value, &said, &seen,
			&since, &deadline, &closed, &flaps, &page, &state, &who, &why, &until, &of, &ofValue, &accepted, &by, &toldAccepted); err != nil {
			return nil, fmt.Errorf("what disagreements changed: %w", err)
		}
		n.since, n.paged, n.accepted = told.Time, paged.Bool, toldAccepted.Time
		if state.Valid {
			*d = schemas.Disagreement{Topic: n.topic, Key: n.key, Field: schemas.Field(n.field), Object: n.object, System: schemas.System(n.system), State: state.String, Page: page.String,
				Owner: schemas.System(owner.String), OwnerValue: ownerValue.String, OwnerTime: ownerTime.Time, OwnerSeenAt: ownerSeen.Time, Value: value.String, Time: said.Time, SeenAt: seen.Time,
				Since: since.Time, Deadline: deadline.Time, Closed: closed.pointer(), Flaps: flaps.Int64, Who: who.String, Why: why.String, Until: until.pointer(),
				Accepted: schemas.System(of.String), AcceptedValue: ofValue.String, AcceptedAt: accepted.pointer(), AcceptedBy: by.String}
			n.now = d
		}
		out = append(out, n)
	}
	return out, rows.Err()
}

// publisher writes disagreements to their topic, each to the partition of its order.
type publisher struct {
	client *kgo.Client
	serde  *schemas.Serde
	topo   *topology.Topology
}

func newPublisher(c *FollowConfig) (*publisher, error) {
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, c.Options...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordDeliveryTimeout(publishLimit), kgo.ProducerBatchCompression(kgo.Lz4Compression()))...)
	if err != nil {
		return nil, fmt.Errorf("tell disagreements: %w", err)
	}
	return &publisher{client, c.Serde, c.Topology}, nil
}

// teller tells what changed; nil tells nobody.
func (c *FollowConfig) teller() (*publisher, error) {
	if !c.Tell {
		return nil, nil
	}
	return newPublisher(c)
}

func (p *publisher) close() {
	if p != nil {
		p.client.Close()
	}
}

// all tells everything that changed.
func (p *publisher) all(ctx context.Context, v *View) error {
	if p == nil {
		return nil
	}
	for {
		n, err := v.Notify(ctx, p.publish)
		if err != nil || n == 0 {
			return err
		}
	}
}

// publishLimit is how long a record may take: then all are told again.
const publishLimit = 10 * time.Second

func (p *publisher) publish(ctx context.Context, list []*schemas.Disagreement) error {
	topic := p.topo.TopicName(topology.TopicDisagreements)
	var recs []*kgo.Record
	for _, d := range list {
		value, err := p.serde.EncodeDisagreement(ctx, topic+"-value", d)
		if err != nil {
			return err
		}
		k := noticeKey{d.Topic, d.Key, string(d.Field), d.Object, string(d.System)}
		id := string(k.recordKey()) + "|" + d.Since.Format(timeForm) + "|" + d.State
		recs = append(recs, &kgo.Record{Topic: topic, Partition: topology.PartitionOf(d.Key, p.topo.Partitions), Key: k.recordKey(), Value: value, Headers: []kgo.RecordHeader{
			{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: []byte(id)}, {Key: "ce_type", Value: []byte("seam.disagreement." + d.State)}, {Key: "ce_source", Value: []byte("/seam/reconcile")},
			{Key: "ce_subject", Value: []byte(d.Key)}, {Key: "content-type", Value: []byte("application/avro")}}})
	}
	return p.client.ProduceSync(ctx, recs...).FirstErr()
}
