"""The ESP32-DevKitC board of the open project esp32-evse, with a meter on its RS-485."""
