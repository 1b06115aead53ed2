package reconcile

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// errFollower is the error of a write by a process that is not the one who writes.
var errFollower = errors.New("another process writes the view")

// leaderLease is how long a writer that is gone keeps others from writing.
const leaderLease = 10 * time.Second

// lead makes this process the writer, or fails with errFollower. The row's lock lets one transaction write at a time.
func (v *View) lead(ctx context.Context, tx *sql.Tx) error {
	now := time.Now() // the lease is between processes, not of the story
	res, err := tx.ExecContext(ctx, v.db.bind("UPDATE reconciler SET instance = ?, until = ?, caught_up_at = COALESCE(?, caught_up_at) WHERE id = 1 AND (instance = ? OR until < ?)"),
		v.instance, v.db.arg(now.Add(leaderLease)), v.db.arg(nullTime(v.horizon())), v.instance, v.db.arg(now))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return cmp.Or(err, errFollower)
	}
	return nil
}

// transact runs a function in a transaction of the writer. After an error nothing is remembered of folds, as they may hold
// what was not written.
func (v *View) transact(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := v.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("view: %w", err)
	}
	err = v.lead(ctx, tx)
	v.mu.Lock()
	v.leader = err == nil
	v.mu.Unlock()
	if err == nil {
		err = do(tx)
	}
	if err == nil {
		err = tx.Commit()
	} else {
		err = errors.Join(err, tx.Rollback())
	}
	if err != nil {
		v.forget()
		return fmt.Errorf("view: %w", err)
	}
	return nil
}

// release lets another process write at once.
func (v *View) release(ctx context.Context) error {
	_, err := v.db.ExecContext(ctx, v.db.bind("UPDATE reconciler SET until = ? WHERE instance = ?"), v.db.arg(time.Unix(0, 0)), v.instance)
	return err
}

// leads tells whether this process writes the view.
func (v *View) leads() bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.leader
}
