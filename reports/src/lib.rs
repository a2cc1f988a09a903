//! What people read: the HTML report of a run and of a campaign.
