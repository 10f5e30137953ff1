"""Ways beside the inbox to tell a member: what stands in its inbox, sent on."""
