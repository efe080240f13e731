"""Pictures as SVG, legible on light and on dark; what draws them needs no library."""
