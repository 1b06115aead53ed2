package connect

import (
	"context"
	"time"

	"golang.org/x/oauth2"
)

// Tokens keeps what fetch gives as the token of a sign-in is kept.
func Tokens(fetch func() (*oauth2.Token, error)) func(context.Context) (string, error) {
	return (&tokens{now: time.Now, fetch: func(context.Context) (*oauth2.Token, error) { return fetch() }}).current
}
