package main

import (
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers/replay"
	"github.com/binaryandbeyond/seam/schemas"
)

// TestReplayFlags are the words of kafka-consumer-groups, and ours for what to deliver again.
func TestReplayFlags(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	offset := func(n int64) *int64 { return &n }
	none := map[string][]int32{}
	for name, tt := range map[string]struct {
		args []string
		want replay.Request
		err  string
	}{
		"a time":                  {[]string{"--to-datetime", "2026-11-22T01:02:03Z"}, replay.Request{Back: replay.Back{Datetime: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)}, Places: none}, ""},
		"as Kafka's tool says it": {[]string{"--to-datetime", "2026-11-22T01:02:03.000"}, replay.Request{Back: replay.Back{Datetime: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)}, Places: none}, ""},
		"no time":                 {[]string{"--to-datetime", "yesterday"}, replay.Request{}, `--to-datetime "yesterday": write 2026-11-24T00:00:00Z`},
		"a duration":              {[]string{"--by-duration", "P1DT2H3M4S"}, replay.Request{Back: replay.Back{Datetime: noon.Add(-26*time.Hour - 3*time.Minute - 4*time.Second)}, Places: none}, ""},
		"a duration as Go's":      {[]string{"--by-duration", "90m"}, replay.Request{Back: replay.Back{Datetime: noon.Add(-90 * time.Minute)}, Places: none}, ""},
		"no duration":             {[]string{"--by-duration", "PT"}, replay.Request{}, `--by-duration "PT": write PT24H, P7D or 24h`},
		"an offset":               {[]string{"--to-offset", "0"}, replay.Request{Back: replay.Back{Offset: offset(0)}, Places: none}, ""},
		"the start":               {[]string{"--to-earliest"}, replay.Request{Back: replay.Back{Earliest: true}, Places: none}, ""},
		"back":                    {[]string{"--shift-by", "-5"}, replay.Request{Back: replay.Back{Shift: offset(-5)}, Places: none}, ""},
		"forward":                 {[]string{"--shift-by", "5"}, replay.Request{}, "--shift-by takes a negative number: a replay goes back"},
		"partitions":              {[]string{"--to-earliest", "--topic", "orders:0,2", "--topic", "customers"}, replay.Request{Back: replay.Back{Earliest: true}, Places: map[string][]int32{"orders": {0, 2}, "customers": {}}}, ""},
		"no partition":            {[]string{"--to-earliest", "--topic", "orders:x"}, replay.Request{}, "--topic orders:x: write orders, or orders:0,2 for partitions of it"},
		"a choice without word":   {[]string{"--to-earliest", "--order", "A"}, replay.Request{}, "--order chooses what to deliver again: add --redeliver, without which nothing is"},
		"a choice": {[]string{"--to-earliest", "--redeliver", "--order", "A,B", "--type", "order.created", "--kind", "withheld,passed_by", "--until", "2026-11-23", "--even-stale", "--at-most", "7"},
			replay.Request{Back: replay.Back{Earliest: true}, Places: none, Choice: &replay.Choice{Orders: []string{"A", "B"}, Types: []schemas.EventType{schemas.OrderCreated}, Kinds: []string{"withheld", replay.PassedBy},
				Until: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), Even: schemas.ReasonStale, AtMost: 7}}, ""},
		"no type": {[]string{"--to-earliest", "--redeliver", "--type", "order.creatd"}, replay.Request{}, "--type order.creatd: no such event type"},
		"no kind": {[]string{"--to-earliest", "--redeliver", "--kind", "parked"}, replay.Request{}, "--kind parked: one of passed_by, [duplicate withheld superseded expired delivered already_done rejected discarded]"},
	} {
		var f replayFlags
		var got replay.Request
		cmd := (&cli{out: io.Discard}).replayOf(&f)
		err := cmd.ParseFlags(tt.args)
		if err == nil {
			err = f.fill(&got, cmd, noon)
		}
		if tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("%s: got %v, want %s", name, err, tt.err)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Options" || p.String() == "Now" }, cmp.Ignore())); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}
