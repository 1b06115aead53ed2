package consumers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/schemas"
)

// TestRecordsLostToRetentionStopThePartition: none is skipped without a word, the range is named, the other partitions go on,
// and a reset of the offset is the way on.
func TestRecordsLostToRetentionStopThePartition(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	adm, topic := kadm.NewClient(b.client), b.topo.TopicName(schemas.TopicOrders)
	here, there := "", ""
	for i := 0; here == "" || there == ""; i++ {
		if order := fmt.Sprint("o", i); b.partition(order) == 0 {
			here = order
		} else {
			there = order
		}
	}
	told := make(chan string, 100)
	start := func() func() {
		return b.start(func(c *consumers.Config) {
			c.Report = func(st *schemas.WorkerStatus) {
				if strings.Contains(st.CircuitWhy, "retention") {
					told <- st.State + ": " + st.CircuitWhy
				}
			}
		})
	}
	stop := start()
	b.publish(event("a1", schemas.OrderCreated, here, 1), event("b1", schemas.OrderCreated, there, 1))
	b.wait(2)
	stop()
	for i := 2; i < 7; i++ { // offsets 1 to 5
		b.publish(event(fmt.Sprint("a", i), schemas.OrderUpdated, here, i))
	}
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 4, -1)
	deleted, err := adm.DeleteRecords(t.Context(), offsets)
	if err = errors.Join(err, deleted.Error()); err != nil {
		t.Fatal(err)
	}
	stop = start()
	if got, want := <-told, fmt.Sprintf("paused: records 1 to 3 of %s/0 were lost to retention", topic); !strings.HasPrefix(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	b.publish(event("b2", schemas.OrderUpdated, there, 2))
	for _, o := range b.wait(3) {
		if o.EventID == "a5" || o.EventID == "a6" {
			t.Errorf("%s was handled although those before it are lost", o.EventID)
		}
	}
	stop()
	offsets = kadm.Offsets{}
	offsets.AddOffset(topic, 0, 4, -1)
	if err := adm.CommitAllOffsets(t.Context(), b.topo.Group("down"), offsets); err != nil {
		t.Fatal(err)
	}
	start()
	b.wait(5)
}
