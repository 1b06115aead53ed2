package schemas

import (
	"context"
	"time"
)

// SealingKey is a part of a root that keys of personal data follow from, as the topic keys holds it: see package sealing.
type SealingKey struct {
	Root      string    // UUID
	Part      int32     // -1 for what is above the shards, else the shard
	CreatedAt time.Time // of the root
	Nodes     []KeyNode // that are left
}

// KeyNode is a node of the tree and what everything under it follows from.
type KeyNode struct {
	Depth int32
	Path  int64
	Seed  []byte // 32 bytes, secret
}

// EncodeSealingKey gives the bytes of a part of a root.
func (s *Serde) EncodeSealingKey(ctx context.Context, subject string, k *SealingKey) ([]byte, error) {
	return encode(ctx, s, subject, "sealing_key", k)
}

// DecodeSealingKey reads a part of a root; errors as DecodeEvent.
func (s *Serde) DecodeSealingKey(ctx context.Context, b []byte) (*SealingKey, error) {
	return decode[SealingKey](ctx, s, "sealing_key", b)
}
