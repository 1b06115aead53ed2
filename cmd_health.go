package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// health is seam health: a probe for images that have nothing else to ask with.
func (c *cli) health() *cobra.Command {
	var limit time.Duration
	var anything bool
	cmd := &cobra.Command{
		Use: "health [URL]", Args: cobra.MaximumNArgs(1),
		Short: "Ask a seam run whether it is ready; for a container's health check",
		Long: "Asks /readyz at SEAM_CONSOLE, or 127.0.0.1:8090, or at the URL given. Exit 0: it is ready; 1: it is not, or does not\n" +
			"answer. The image holds nothing but seam, so this is what its health check runs.",
		Example: "  seam health\n  seam health http://127.0.0.1:8080/healthz",
		RunE: func(cmd *cobra.Command, args []string) error {
			url := readyURL(env("SEAM_CONSOLE", "127.0.0.1:8090"))
			if len(args) == 1 {
				url = args[0]
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), limit)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
			if err != nil {
				return usage{err}
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK && !anything {
				return fmt.Errorf("%s: %s", url, resp.Status)
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&limit, "timeout", 5*time.Second, "how long it may take")
	cmd.Flags().BoolVar(&anything, "any", false, "take any answer, of what has no /readyz")
	return cmd
}

// readyURL is where a process that listens at an address says whether it is ready, from this machine.
func readyURL(listens string) string {
	host, port, err := net.SplitHostPort(listens)
	if err != nil {
		host, port = strings.TrimSuffix(listens, ":"), "80"
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/readyz"
}
