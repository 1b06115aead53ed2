package topologytest

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Records is every record, also of transactions that were aborted, of the topics whose names pass, prefix included.
func (k *Kafka) Records(t testing.TB, pass func(topic string) bool) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond)) // the last records may be markers
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	left, at := map[string]map[int32]int64{}, map[string]map[int32]kgo.Offset{}
	n := 0
	ends.Each(func(o kadm.ListedOffset) {
		if !pass(o.Topic) || o.Offset == 0 {
			return
		}
		if left[o.Topic] == nil {
			left[o.Topic], at[o.Topic] = map[int32]int64{}, map[int32]kgo.Offset{}
		}
		left[o.Topic][o.Partition], at[o.Topic][o.Partition] = o.Offset, kgo.NewOffset().AtStart()
		n++
	})
	client.AddConsumePartitions(at)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out []*kgo.Record
	for n > 0 {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d partitions are not read to their ends", n)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			if end := left[rec.Topic][rec.Partition]; end > 0 && rec.Offset+1 >= end {
				left[rec.Topic][rec.Partition] = 0
				n--
			}
			if !rec.Attrs.IsControl() {
				out = append(out, rec)
			}
		})
	}
	return out
}
