// Package ledger remembers, durably, what one consumer group has done for each order.
//
// In come a partition's records of ledger.<integration> and parked.<integration>; out comes a Store that answers, per key,
// what is finished, intended or parked. The worker writes the topics itself, in the transaction that carries outcome and
// offset; the ledger only reads them back.
//
// Why a restore reads to the high watermark and not to the last stable offset: an open transaction of a dead owner holds
// the last stable offset below outcomes that are committed, and an owner that restored without them would call again.
// Why it fences first: see Fence.
package ledger
