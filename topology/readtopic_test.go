package topology_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/binaryandbeyond/seam/topology"
)

// TestWhileElecting: what passes by itself is waited for, a leader that is away only as long as another needs to take its place.
func TestWhileElecting(t *testing.T) {
	t.Parallel()
	away := func(causes ...error) error {
		se := &kadm.ShardErrors{Name: "ListOffsets"}
		for _, err := range causes {
			se.Errs = append(se.Errs, kadm.ShardError{Err: err})
		}
		return fmt.Errorf("read topology: %w", se)
	}
	refused := fmt.Errorf("unable to dial: %w", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED})
	for name, tt := range map[string]struct {
		err  error
		asks time.Duration // for how long it is asked again; below 0: until the context ends
	}{
		"nothing is wrong":                  {nil, 0},
		"a leader is elected":               {kerr.LeaderNotAvailable, -1},
		"there is no such topic":            {kerr.UnknownTopicOrPartition, 0},
		"a person must do something":        {kerr.TopicAuthorizationFailed, 0},
		"a leader is away":                  {away(refused), 30 * time.Second},
		"one is away and another elected":   {away(refused, kerr.NotLeaderForPartition), -1},
		"one is away and another forbids":   {away(refused, kerr.TopicAuthorizationFailed), 0},
		"one is away and another lacks it":  {away(refused, kerr.UnknownTopicOrPartition), 0},
		"nobody could be asked in any wise": {refused, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				began := time.Now()
				if err := topology.WhileElecting(ctx, func() error { return tt.err }); !errors.Is(err, tt.err) {
					t.Errorf("it gave %v", err)
				}
				want := tt.asks
				if want < 0 {
					want = time.Hour
				}
				if took := time.Since(began); took.Round(time.Second) != want {
					t.Errorf("it was asked for %s, want %s", took, want)
				}
			})
		})
	}
}
