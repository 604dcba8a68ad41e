/** What a device id is called on the page: the two devices here by name, all others by what their id tells. */
import type { Device, DeviceRole } from '../composables/useDevice.ts'
import type { InjectionKey } from 'vue'

export interface DeviceName {
  name: string
  role: DeviceRole | 'other'
}

export function createDeviceNames(devices: Device[]): (deviceId?: string) => DeviceName {
  return (deviceId) => {
    const own = devices.find(device => device.deviceId === deviceId)
    if (own) return { name: own.label, role: own.role }
    return { name: deviceId ? `Device ${deviceId}` : 'Another device', role: 'other' }
  }
}

export const deviceNamesKey: InjectionKey<(deviceId?: string) => DeviceName> = Symbol('device names')

export function useDeviceNames(): (deviceId?: string) => DeviceName {
  return inject(deviceNamesKey, createDeviceNames([]))
}
