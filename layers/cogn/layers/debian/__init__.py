"""Debian packages in images: unpacked, recorded and set up as dpkg does it, without running any."""
