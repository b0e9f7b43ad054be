"""The tab "Many scans" of the dock "Denoise with UNet/APDDM"."""
