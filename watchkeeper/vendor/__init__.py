"""The one way to a vendor's API: guarded, paced, bounded, and honest about what came back."""
