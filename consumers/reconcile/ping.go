package reconcile

import (
	"context"
	"fmt"
)

// Ping tells whether the view's database answers.
func (v *View) Ping(ctx context.Context) error {
	if err := v.db.PingContext(ctx); err != nil {
		return fmt.Errorf("the view's database does not answer: %w", err)
	}
	return nil
}
