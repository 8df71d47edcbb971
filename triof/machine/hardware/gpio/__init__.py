"""The driver for pins by gpiozero: a process of its own owns them and switches all off when the kiosk is gone."""
