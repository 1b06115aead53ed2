package connect

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// Explain adds to what a broker or registry refused which variable to look at. Other errors, nil among them, come back as they are.
func Explain(err error) error {
	mend := ""
	var (
		closed *kgo.ErrFirstReadEOF
		answer *sr.ResponseError
	)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		mend = "the broker does not know this user and password or token: see SEAM_KAFKA_USER and SEAM_KAFKA_PASSWORD, or SEAM_KAFKA_TOKEN..., and SEAM_KAFKA_SASL"
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		mend = "set SEAM_KAFKA_SASL to a mechanism that the listener has enabled"
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed), errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		mend = "this principal lacks access: name it in access.yaml and have it given by seam apply, or by who gives access to the cluster (docs/plan.md has what each role needs)"
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		mend = "who plans and applies needs Describe and Alter on the cluster (docs/plan.md)"
	case errors.As(err, &closed):
		mend = "the listener wants TLS, or signing in, or neither: see SEAM_KAFKA_TLS and SEAM_KAFKA_SASL, and the port of SEAM_BROKERS"
	case strings.Contains(err.Error(), "speaking to a tls endpoint"): // franz-go has no type for it
		mend = "the listener wants TLS: set SEAM_KAFKA_TLS=true, or SEAM_KAFKA_CA"
	case errors.As(err, &answer) && answer.StatusCode == http.StatusUnauthorized:
		mend = "the registry does not know us: see SEAM_REGISTRY_USER and SEAM_REGISTRY_PASSWORD, or SEAM_REGISTRY_TOKEN..."
	case errors.As(err, &answer) && answer.StatusCode == http.StatusForbidden:
		mend = "the registry does not let us: who applies writes subjects, all others read them"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, mend)
}
