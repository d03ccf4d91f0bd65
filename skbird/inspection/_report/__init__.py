"""Reports as pages that need nothing else: markup, clips, plots, the page itself."""
